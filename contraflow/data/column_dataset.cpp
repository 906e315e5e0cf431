#include "contraflow/data/column_dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "contraflow/core/error.h"
#include "contraflow/core/number_text.h"
#include "contraflow/core/text.h"
#include "contraflow/data/absurd_rows.h"
#include "contraflow/data/column_kinds.h"
#include "contraflow/data/column_plan.h"
#include "contraflow/data/identity.h"
#include "contraflow/data/message.h"
#include "contraflow/data/row_hash.h"
#include "contraflow/data/weights.h"

namespace contraflow::data {
namespace {

Table select(const Table& table, const std::vector<std::string>& names) {
  const std::vector<int64_t> order = find_columns(table.columns, names, table.source);
  return {names, table.rows.index_select(1, at::tensor(order, at::kLong)).to(at::kDouble),
          table.source, table.unnamed};
}

Table without(const Table& table, const at::Tensor& mask) {
  return {table.columns, table.rows.index_select(0, mask.logical_not().nonzero().squeeze(1)),
          table.source, table.unnamed};
}

at::Tensor values_of(const Table& table, const std::string& name) {
  return select(table, {name}).rows.select(1, 0);
}

// Row weights of mean 1: their scale says nothing, and may be beyond float32.
at::Tensor scaled_weights(const at::Tensor& weight, const std::string& name) {
  check_weights("data", "weight '" + name + "'", weight);
  const at::Tensor relative = weight / weight.max();
  return relative / relative.mean();
}

class Builder {
 public:
  Builder(Columns columns, const SplitColumn& split, const DataOptions& options,
          const KnownData* known)
      : columns_(std::move(columns)), split_(split), options_(options), known_(known) {}

  Dataset build(Table table) {
    out_.name = options_.name;
    table = decide_columns(table);
    const DataIdentity identity{.rows = table.rows.size(0),
                                .checksum = checksum_text(hash_rows(table.rows, 0))};
    if (known_ != nullptr) check_identity(identity, *known_, table.source, out_.notes);
    table = set_absurd_aside(std::move(table));
    const at::Tensor places = places_of(by(table), split_seed(), read_rows(table), key(table));
    out_.identity = identity;
    out_.identity->split =
        known_ != nullptr ? known_->identity.split
                          : make_split_rule(by(table), split_seed(), places, split_sizes(options_));
    const SplitRows parts = apply(out_.identity->split, places);
    if (known_ == nullptr) measure_scales(table, parts.train);
    out_.columns = columns_;
    note_columns(table);
    out_.splits = take_parts(batch(table), parts, rng_of(options_), at::kDouble);
    note_parts(table, parts);
    return std::move(out_);
  }

 private:
  // Kinds, and what is left out, are decided on all rows: a test row outside of a guessed bound
  // would have no density.
  Table decide_columns(const Table& table) {
    if (known_ != nullptr) {
      const std::string weight = columns_.weight;  // may come from a file of its own
      columns_ = known_->columns;
      columns_.weight = weight;
    } else {
      const ColumnPlan plan = plan_columns(select(table, columns_.names), options_.kinds,
                                           options_.bounds, !options_.columns.empty());
      columns_.names = plan.names;
      columns_.infos = plan.infos;
      columns_.left_out.insert(columns_.left_out.end(), plan.left_out.begin(), plan.left_out.end());
      columns_.event_shape = {std::ssize(plan.names)};
    }
    std::vector<std::string> wanted = columns_.to_read();
    if (!split_.name.empty() &&
        std::find(wanted.begin(), wanted.end(), split_.name) == wanted.end()) {
      wanted.push_back(split_.name);
    }
    Table own = select(table, wanted);
    if (known_ == nullptr && !columns_.label.empty()) {
      columns_.classes = count_classes(values_of(own, columns_.label), table.source);
      columns_.empty_classes = empty_classes(own);
    }
    return own;
  }

  Table set_absurd_aside(Table table) {
    std::vector<at::Tensor> standardised;
    for (size_t c = 0; c < columns_.names.size(); ++c) {
      const at::Tensor values = values_of(table, columns_.names[c]);
      const ColumnInfo info = scaled(columns_.infos[c], values);
      standardised.push_back((on_the_line(info, values) - info.center) / info.scale);
    }
    const AbsurdRows absurd = find_absurd(at::stack(standardised, 1));
    if (!absurd.worst) return table;
    const auto place = static_cast<size_t>(absurd.worst->column);
    const double value = values_of(table, columns_.names[place])[absurd.worst->row].item<double>();
    const auto count = absurd.mask.sum().item<int64_t>();
    out_.notes.push_back("set aside as absurd: " + format_count(count) +
                         (count == 1 ? " row" : " rows") + ", such as row " +
                         std::to_string(absurd.worst->row) + ", where " +
                         in_quotes(columns_.names[place]) + " is " + shortest(value) + ", " +
                         scientific(absurd.worst->deviations) + " deviations from the median");
    return without(table, absurd.mask);
  }

  int64_t split_seed() const {
    return known_ != nullptr ? known_->identity.split.seed : options_.seed;
  }

  SplitBy by(const Table& table) const {
    if (known_ != nullptr) return known_->identity.split.by;
    if (split_.by != SplitBy::kRow) return split_.by;
    for (size_t c = 0; c < columns_.names.size(); ++c) {
      const bool fine =
          !columns_.infos[c].whole() && !is_rounded(values_of(table, columns_.names[c]));
      if (fine) return SplitBy::kRow;
    }
    return SplitBy::kRowCopy;
  }

  // The values that make a row what it is; weights do not.
  at::Tensor read_rows(const Table& table) const {
    return select(table, columns_.to_read(/*with_weight=*/false)).rows;
  }

  at::Tensor key(const Table& table) const {
    return split_.name.empty() ? at::Tensor() : values_of(table, split_.name);
  }

  void measure_scales(const Table& table, const at::Tensor& train) {
    const auto training = [&](const std::string& name) {
      return values_of(table, name).index_select(0, train);
    };
    for (size_t c = 0; c < columns_.names.size(); ++c) {
      columns_.infos[c] = scaled(columns_.infos[c], training(columns_.names[c]));
    }
    columns_.condition_scale.clear();
    for (const std::string& name : columns_.condition) {
      const ColumnInfo info = scaled({}, training(name));
      columns_.condition_scale.push_back({info.center, info.scale});
    }
  }

  Batch batch(const Table& table) const {
    const Table own = select(table, columns_.to_read());
    Batch out = columns_.to_batch(own.rows, at::kDouble, table.source);
    if (!columns_.weight.empty()) out.weight = scaled_weights(out.weight, columns_.weight);
    return out;
  }

  // What was read and what each column was taken for, before all other notes.
  void note_columns(const Table& table) {
    std::vector<std::string> lines{"read " + format_count(out_.identity->rows) + " rows of " +
                                   table.source};
    constexpr size_t kMostLines = 40;
    for (size_t c = 0; c < columns_.names.size() && c < kMostLines; ++c) {
      lines.push_back("  " + description(columns_, c));
    }
    if (columns_.names.size() > kMostLines) {
      lines.push_back("  and " + std::to_string(columns_.names.size() - kMostLines) + " more");
    }
    for (size_t c = 0; c < columns_.names.size(); ++c) {
      const std::string atom = atom_note(table, c);
      if (!atom.empty()) lines.push_back(atom);
    }
    for (const std::string& name : columns_.condition) {
      const CommonValue common = most_common(values_of(table, name));
      if (common.share < 1.0) continue;
      lines.push_back("  " + name + ": given, one value only, " + shortest(common.value) +
                      ": what other values do is not known");
    }
    if (!columns_.empty_classes.empty()) lines.push_back(note_of_empty_classes());
    for (const LeftOut& column : columns_.left_out) {
      lines.push_back("  " + column.name + ": left out, " + column.reason);
    }
    out_.notes.insert(out_.notes.begin(), lines.begin(), lines.end());
  }

  // Classes are numbered without gaps, rows may have some of them only.
  std::vector<int64_t> empty_classes(const Table& table) const {
    const at::Tensor labels = values_of(table, columns_.label).to(at::kLong);
    const at::Tensor empty = at::bincount(labels, {}, columns_.classes).eq(0).nonzero().squeeze(1);
    const at::ArrayRef<int64_t> classes(empty.const_data_ptr<int64_t>(),
                                        static_cast<size_t>(empty.size(0)));
    return classes.vec();
  }

  std::string note_of_empty_classes() const {
    std::vector<std::string> names;
    for (const int64_t k : columns_.empty_classes) names.push_back(std::to_string(k));
    return "  " + columns_.label + ": no row has class " + shorten(join(names, ", "), 200) +
           " of 0 to " + std::to_string(columns_.classes - 1) + ": what it does is not known";
  }

  // A density at a value that many rows share rises as long as training goes on.
  std::string atom_note(const Table& table, size_t c) const {
    if (columns_.infos[c].whole()) return "";
    const CommonValue common = most_common(values_of(table, columns_.names[c]));
    if (common.share < kAtomShare) return "";
    return "  " + columns_.names[c] + ": " + fixed(100.0 * common.share, 0) +
           " % of the rows are exactly " + shortest(common.value) +
           ", where a density has no limit: its part of log p rises as training goes on";
  }

  void note_parts(const Table& table, const SplitRows& parts) {
    const auto unique = [](std::vector<uint64_t> hashes) {
      std::sort(hashes.begin(), hashes.end());
      return std::unique(hashes.begin(), hashes.end()) - hashes.begin();
    };
    const int64_t rows = table.rows.size(0);
    const int64_t copies = rows - unique(hash_rows(read_rows(table), 0));
    if (copies > 0) {
      const SplitBy by = out_.identity->split.by;
      out_.notes.push_back(
          format_count(copies) + " of " + format_count(rows) + " rows repeat another one; " +
          (by == SplitBy::kRow       ? "copies fall into one part of the split"
           : by == SplitBy::kRowCopy ? "the columns are rounded, so that each is split for itself"
                                     : "the split goes by " + in_quotes(split_.name)));
    }
    out_.notes.push_back("split: " + format_count(parts.train.size(0)) + " rows to train on, " +
                         format_count(parts.validation.size(0)) + " to validate, " +
                         format_count(parts.test.size(0)) + " to test");
  }

  Columns columns_;
  const SplitColumn& split_;
  const DataOptions& options_;
  const KnownData* known_;
  Dataset out_;
};

}  // namespace

Dataset column_dataset(const Table& table, const Columns& columns, const SplitColumn& split,
                       const DataOptions& options, const KnownData* known) {
  if (table.rows.size(0) < 2) check_table(table);  // says so
  return Builder(columns, split, options, known).build(table);
}

}  // namespace contraflow::data
