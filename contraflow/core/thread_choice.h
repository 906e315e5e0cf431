#pragma once

#include "contraflow/core/export.h"

namespace contraflow {

/// Decides whether the regions of one caller share the threads or run on the caller alone.
///
/// A shared region ends with its slowest thread. Where other programs keep the cores busy, a thread
/// loses its core for milliseconds and the others wait: one thread is then faster than two. So the
/// choice is measured. The speed of a region is the processor time of its work over the time it
/// took: 1 for a thread with a core of its own, up to the number of threads where they share well,
/// less where the work waits.
///
/// Shared     while the measured speed is at least kGain. A caller alone reaches 1 at most, so that
///            there is nothing to try: an idle machine pays for a few clock readings only.
/// Trial      below that, both ways are measured, a window each. Threads have to be kGain times as
///            fast as the caller alone. A trial that has clearly lost ends at once.
/// Hold       the result holds for a while, twice as long each time that it is confirmed.
/// No core    a caller alone that gets less than kOwnCore of a core would share with threads that get
///            no more: it tries them once in kMostSkips + 1 holds only.
/// Results    do not depend on the choice: it moves work between threads, and the order of every
///            sum stays.
/// Threads    one object for each calling thread; its members are called by that thread only.
class CF_EXPORT ThreadChoice {
 public:
  static constexpr double kGain = 1.1;
  static constexpr double kWindow = 0.02;          ///< Seconds in regions for a measurement.
  static constexpr double kShortestHold = 0.1;     ///< Seconds.
  static constexpr double kLongestHold = 1.0;      ///< Seconds.
  static constexpr double kLongRegion = 0.02;      ///< Seconds; longer regions always share.
  static constexpr double kTrialPatience = 0.004;  ///< Seconds that a trial may lose.
  static constexpr double kOwnCore = 0.9;
  static constexpr int kMostSkips = 4;

  struct Plan {
    bool alone = false;
    bool measure = false;  ///< Hand the region's times to report().
  };

  /// What to do with the region that starts at `now`, in seconds of any clock.
  Plan next(double now);

  /// A measured region took `wall` seconds, and its work `processor` seconds over all threads.
  void report(double now, double wall, double processor);

 private:
  enum class State { kHold, kMeasure, kTrial };
  void begin(State state);
  void hold(double now, bool confirmed);
  bool trial_alone() const { return (state_ == State::kTrial) != alone_; }
  bool trial_is_lost() const;
  void finish_measurement(double now, double speed);
  void finish_trial(double now, double speed);

  State state_ = State::kMeasure;
  bool alone_ = false;  // the choice that holds; a trial tries the other
  double until_ = 0;    // end of the hold
  double length_ = kShortestHold;
  double speed_ = 0;                 // of the choice that holds, as last measured
  double wall_ = 0, processor_ = 0;  // sums of this window
  int skips_ = 0;                    // trials left out in a row
};

/// The calling thread's choice, which parallel_for() and parallel_items() follow and feed.
CF_EXPORT ThreadChoice& thread_choice();

}  // namespace contraflow
