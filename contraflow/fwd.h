#pragma once

#include <memory>

/// Names of the main classes, for headers that only pass them on: it needs no other header, and none of
/// LibTorch.
namespace contraflow {

class EventShape;
class Rng;
class Transform;
class Base;
class Flow;
struct Context;
struct FlowSpec;
struct Model;
struct RunConfig;
struct TrainingOptions;
struct Checkpoint;
class Objective;
class TrainingLoop;
class Collective;

using TransformPtr = std::shared_ptr<Transform>;
using BasePtr = std::shared_ptr<Base>;
using FlowPtr = std::shared_ptr<Flow>;

namespace data {
class Source;
struct Batch;
struct Columns;
struct Dataset;
}  // namespace data

}  // namespace contraflow
