#include "contraflow/core/thread_choice.h"

#include <gtest/gtest.h>

namespace contraflow {
namespace {

constexpr double kRegion = 0.001;  // seconds of work, one after another

// A machine on which a region's speed depends on who runs it.
struct Machine {
  double shared = 1.8, alone = 1.0;

  // Runs regions for a while; returns the share of them that the caller ran alone.
  double run(ThreadChoice& choice, double duration) {
    double count = 0, single = 0;
    for (const double end = now + duration; now < end; ++count) {
      const ThreadChoice::Plan plan = choice.next(now);
      const double wall = kRegion / (plan.alone ? alone : shared);
      now += wall + 0.0005;  // and half a millisecond outside of regions
      if (plan.measure) {
        choice.report(now, wall, kRegion);
        ++measured;
      }
      single += plan.alone;
    }
    return single / count;
  }

  double now = 1000;
  int64_t measured = 0;
};

TEST(ThreadChoice, SharesAndMeasuresLittleOnAnIdleMachine) {
  ThreadChoice choice;
  Machine machine;
  EXPECT_EQ(machine.run(choice, 10), 0);
  EXPECT_LT(static_cast<double>(machine.measured), 0.35 * 10 / 0.00105);
}

TEST(ThreadChoice, TurnsToTheCallerWhenNeighboursComeAndBackWhenTheyLeave) {
  ThreadChoice choice;
  Machine machine;
  machine.run(choice, 1);
  machine.shared = 0.3;
  machine.alone = 0.67;
  machine.run(choice, 0.5);
  EXPECT_GT(machine.run(choice, 5), 0.97);
  machine.shared = 1.8;
  machine.alone = 1.0;
  machine.run(choice, 1.2);
  EXPECT_EQ(machine.run(choice, 5), 0);
}

TEST(ThreadChoice, KeepsWhatIsFasterWhereBothAreSlow) {
  for (const double shared : {0.5, 0.9}) {
    ThreadChoice choice;
    Machine machine;
    machine.shared = shared;
    machine.alone = 0.67;
    machine.run(choice, 1);
    const double single = machine.run(choice, 5);
    if (shared > machine.alone) {
      EXPECT_LT(single, 0.05);
    } else {
      EXPECT_GT(single, 0.95);
    }
  }
}

TEST(ThreadChoice, ADifferenceBelowTheGainChangesNothing) {
  ThreadChoice choice;
  Machine machine;
  machine.shared = 0.3;
  machine.alone = 0.67;
  machine.run(choice, 1);
  machine.shared = 0.70;  // a little faster: noise
  EXPECT_GT(machine.run(choice, 3), 0.9);
}

TEST(ThreadChoice, ALostTrialEndsEarly) {
  ThreadChoice choice;
  Machine machine;
  machine.shared = 0.12;  // 8 ms a region
  machine.alone = 0.95;
  machine.run(choice, 1);
  int64_t shared = 0;
  for (const double end = machine.now + 5; machine.now < end;) {
    const ThreadChoice::Plan plan = choice.next(machine.now);
    const double wall = kRegion / (plan.alone ? machine.alone : machine.shared);
    machine.now += wall;
    if (plan.measure) choice.report(machine.now, wall, kRegion);
    shared += !plan.alone;
  }
  EXPECT_GE(shared, 4);   // it tries again
  EXPECT_LE(shared, 10);  // and each trial is one region, not a window of three
}

TEST(ThreadChoice, ACallerWithoutACoreOfItsOwnSeldomTriesThreads) {
  ThreadChoice choice;
  Machine machine;
  machine.shared = 0.3;
  machine.alone = 0.67;
  machine.run(choice, 3);
  EXPECT_GT(machine.run(choice, 20), 0.997);
  machine.shared = 4;  // of many threads, though the neighbours are still there
  machine.run(choice, 6);
  EXPECT_EQ(machine.run(choice, 5), 0);
}

TEST(ThreadChoice, LongRegionsAlwaysShare) {
  ThreadChoice choice;
  for (int i = 0; i < 10; ++i) choice.report(1000 + i, 1.0, 0.5);
  EXPECT_FALSE(choice.next(1011).alone);
}

}  // namespace
}  // namespace contraflow
