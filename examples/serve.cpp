// Loads a trained run once and scores rows from four threads, as a service would: one flow, no
// locks. Prints one log-density a line, the numbers of 'contraflow score RUN ROWS.csv'.
//
// Usage: serve RUN ROWS.csv
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdio>
#include <exception>
#include <future>
#include <vector>

#include "contraflow/evaluation/row_feed.h"
#include "contraflow/runs/model.h"

namespace {

constexpr int kThreads = 4;
constexpr int64_t kRequestRows = 64;

// Every fourth request, from `first` on.
void answer(const contraflow::Model& model, const std::vector<contraflow::data::Batch>& requests,
            size_t first, std::vector<at::Tensor>& answers) {
  at::set_num_threads(1);  // the requests share the cores, not their products
  for (size_t k = first; k < requests.size(); k += kThreads)
    answers[k] = model.score(requests[k]).log_prob;
}

void serve(const char* run, const char* rows) {
  const contraflow::Model model = contraflow::load(run);
  const contraflow::RowFeed feed = contraflow::file_feed({.file = rows}, model.columns);
  std::vector<contraflow::data::Batch> requests;
  for (int64_t row = 0;; row += kRequestRows) {
    requests.push_back(feed.next(row, kRequestRows));
    if (requests.back().x.size(0) < kRequestRows) break;
  }
  if (requests.back().x.size(0) == 0) requests.pop_back();
  std::vector<at::Tensor> answers(requests.size());
  std::vector<std::future<void>> threads;
  for (size_t k = 0; k < kThreads; ++k) {
    threads.push_back(
        std::async(std::launch::async, [&, k] { answer(model, requests, k, answers); }));
  }
  for (std::future<void>& thread : threads) thread.get();  // an error of a thread comes here
  for (const at::Tensor& answer : answers) {
    for (int64_t r = 0; r < answer.size(0); ++r) std::printf("%.17g\n", answer[r].item<double>());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: serve RUN ROWS.csv\n");
    return 2;
  }
  try {
    serve(argv[1], argv[2]);
  } catch (const std::exception& error) {  // the texts say what to do
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
