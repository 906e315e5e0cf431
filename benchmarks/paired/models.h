#pragma once

#include <cstdint>

#include "benchmarks/paired/workload.h"
#include "contraflow/core/event_shape.h"
#include "contraflow/data/source.h"
#include "contraflow/models/contractive.h"

namespace contraflow::bench {

/// The model of a case; ConfigError for a case that has none.
ContractiveOptions case_model(const WorkerOptions& options);
/// Shape of an event of a case: a row, or an image for convolutions.
EventShape case_event(const WorkerOptions& options);
/// Its numbers.
int64_t case_dim(const WorkerOptions& options);
int64_t case_batch(const WorkerOptions& options);
/// table_rows() as events of the case.
at::Tensor case_events(const WorkerOptions& options, int64_t count, uint64_t stream);
/// case_model() as a flow in float32.
FlowPtr case_flow(const WorkerOptions& options);

/// Training data of a case: 8 Gaussians in two dimensions, else a table (below). Another `stream`
/// gives other rows.
data::SourcePtr case_source(const WorkerOptions& options, uint64_t stream);
/// Rows [count, dim], float32: sines of few factors plus noise, each column of mean 0 and
/// deviation 1, so that a trained flow bends and its Jacobians are not small.
at::Tensor table_rows(int64_t dim, int64_t count, uint64_t stream);

/// Trains for the case's number of steps, or loads the checkpoint of the options.
void train_case(Flow& flow, const WorkerOptions& options, int64_t default_steps);

/// Writes each layer's scaled weight into its parameter, lowered by .3 %, so that no scale is in
/// force: the flow is then the same function in float32, in float64 and for the peer. `x`: what a
/// measured roulette measures on.
void freeze_scales(Flow& flow, const at::Tensor& x = {});

/// State of the flow under its own names, and kappa of each block as metadata.
SafetensorsFile exported(const Flow& flow);
int64_t parameter_count(const Flow& flow);

}  // namespace contraflow::bench
