#include "contraflow/core/thread_choice.h"

#include <algorithm>

namespace contraflow {

void ThreadChoice::begin(State state) {
  state_ = state;
  wall_ = processor_ = 0;
}

void ThreadChoice::hold(double now, bool confirmed) {
  length_ = confirmed ? std::min(kLongestHold, 2 * length_) : kShortestHold;
  until_ = now + length_;
  begin(State::kHold);
}

ThreadChoice::Plan ThreadChoice::next(double now) {
  if (state_ == State::kHold) {
    if (now < until_) return {alone_, false};
    begin(State::kMeasure);
  }
  return {trial_alone(), true};
}

bool ThreadChoice::trial_is_lost() const {
  return state_ == State::kTrial && wall_ > kTrialPatience + 1.5 * processor_ / speed_;
}

void ThreadChoice::report(double now, double wall, double processor) {
  if (state_ == State::kHold || wall > kLongRegion) return;
  wall_ += wall;
  processor_ += processor;
  if (wall_ < kWindow && !trial_is_lost()) return;
  const double speed = processor_ / wall_;
  if (state_ == State::kTrial) return finish_trial(now, speed);
  finish_measurement(now, speed);
}

void ThreadChoice::finish_measurement(double now, double speed) {
  speed_ = speed;
  const bool skip = alone_ && speed < kOwnCore && skips_ < kMostSkips;
  skips_ = skip ? skips_ + 1 : 0;
  if (skip) return hold(now, true);
  if (alone_ || speed < kGain) return begin(State::kTrial);
  hold(now, false);
}

void ThreadChoice::finish_trial(double now, double speed) {
  const bool share = alone_ ? speed >= kGain * speed_ : speed_ >= kGain * speed;
  const bool confirmed = share != alone_;
  alone_ = !share;
  hold(now, confirmed);
}

}  // namespace contraflow
