#include "contraflow/data/images/image_dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/augment.h"
#include "contraflow/data/identity.h"
#include "contraflow/data/images/image_changes.h"
#include "contraflow/data/images/image_source.h"
#include "contraflow/data/message.h"
#include "contraflow/data/prefetch.h"
#include "contraflow/data/row_hash.h"

namespace contraflow::data::images {
namespace {

constexpr const char* kImages = "data";

std::vector<int64_t> image_size(const ImageSet& set) { return set.pixels.sizes().slice(1).vec(); }

std::string size_text(const std::vector<int64_t>& image) {
  return std::to_string(image[1]) + " x " + std::to_string(image[2]) +
         (image[0] == 1 ? " grey" : " in " + std::to_string(image[0]) + " channels");
}

std::vector<std::string> pixel_columns(const std::vector<int64_t>& image) {
  std::vector<std::string> out;
  for (int64_t c = 0; c < image[0]; ++c) {
    const std::string channel = image[0] == 1 ? "" : std::to_string(c) + "_";
    for (int64_t p = 0; p < image[1] * image[2]; ++p) {
      out.push_back("pixel_" + channel + std::to_string(p / image[2]) + "_" +
                    std::to_string(p % image[2]));
    }
  }
  return out;
}

std::string label_names(const ImageSet& set) {
  std::vector<std::string> names;
  for (const ImageLabels& labels : set.labels) names.push_back(in_quotes(labels.name));
  return join(names, " or ");
}

// "3 classes: cat, dog, owl"
std::string classes_text(const Columns& columns) {
  const std::string names = shorten(join(columns.class_names(), ", "), 200);
  return std::to_string(columns.classes) + " classes" + (names.empty() ? "" : ": " + names);
}

// The classes [N] that the label stands for.
at::Tensor classes_of(const ImageSet& set, const std::string& label, const std::string& source) {
  for (const ImageLabels& labels : set.labels) {
    if (labels.name == label) return labels.classes;
  }
  if (set.labels.empty()) {
    fail<ConfigError>(kImages, "label", "nothing, for images without labels", in_quotes(label),
                      "Remove it, or bring the labels of all of " + shorten(source, 200) + ".");
  }
  fail<ConfigError>(kImages, "label", label_names(set), in_quotes(label),
                    "Choose that, or remove it.");
}

// Test images are published apart: nothing of the sizes of a test applies to them.
void check_no_test_sizes(const ImageData& data, const DataOptions& options) {
  const bool fraction = options.test_fraction != DataOptions{}.test_fraction;
  if (!data.test || !(fraction || options.test_rows)) return;
  fail<ConfigError>(kImages, fraction ? "test_fraction" : "test_rows",
                    "nothing, for data with a test part of their own, " +
                        format_count(data.test->pixels.size(0)) + " images",
                    "a size", "Remove it; evaluate --rows looks at fewer of them.");
}

constexpr int64_t kBytes = 256;

void check_bits(const ImageData& data, const DataOptions& options) {
  if (!options.bits || data.levels == kBytes) return;
  fail<ConfigError>(kImages, "bits",
                    "nothing, for images of " + std::to_string(data.levels) + " levels",
                    std::to_string(*options.bits), "Remove it; it is for images of 256 levels.");
}

// A row of pixels no longer knows what is left of what.
void check_changes(const DataOptions& options) {
  if (!options.flatten || !(options.flip || options.crop_padding > 0)) return;
  fail<ConfigError>(kImages, options.flip ? "flip" : "crop_padding",
                    "nothing, for rows of pixels (data.flatten)",
                    options.flip ? "true" : std::to_string(options.crop_padding),
                    "Remove it, or data.flatten for a model of images.");
}

class ImageBuilder {
 public:
  ImageBuilder(const ImageData& data, const DataOptions& options, at::ScalarType dtype,
               const KnownData* known)
      : data_(data), options_(options), dtype_(dtype), known_(known) {}

  Dataset build() {
    out_.name = options_.name;
    check_sizes();
    check_no_test_sizes(data_, options_);
    check_bits(data_, options_);
    check_changes(options_);
    choose_label();
    describe_columns();
    check_known();
    const std::vector<uint64_t> hashes = identify();
    note_images(hashes);
    split();
    out_.notes.insert(out_.notes.end(), data_.notes.begin(), data_.notes.end());
    return std::move(out_);
  }

 private:
  void check_sizes() const {
    if (data_.train.pixels.size(0) < 2) {
      fail<ShapeError>(kImages, options_.name, "two images or more", "one",
                       "A density cannot be fitted to fewer.");
    }
    if (!data_.test || image_size(*data_.test) == image_size(data_.train)) return;
    fail<IoError>(kImages, options_.name,
                  "test images of the training's size, " + size_text(image_size(data_.train)),
                  size_text(image_size(*data_.test)), "Crop or scale one of the two parts.");
  }

  void choose_label() {
    if (options_.label.empty()) return;
    train_classes_ = classes_of(data_.train, options_.label, options_.name);
    int64_t count = count_classes(train_classes_, options_.name);
    if (data_.test) {
      test_classes_ = classes_of(*data_.test, options_.label, options_.name + ", test");
      count = std::max(count, count_classes(test_classes_, options_.name + ", test"));
    }
    out_.columns.classes = std::max(count, std::ssize(words()));
  }

  // Words of the label that was chosen.
  std::vector<std::string> words() const {
    return options_.label == kLabelName ? data_.words : std::vector<std::string>();
  }

  void describe_columns() {
    Columns& columns = out_.columns;
    columns.image = image_size(data_.train);
    columns.event_shape = columns.image;
    columns.levels = options_.bits ? int64_t{1} << *options_.bits : data_.levels;
    columns.label = options_.label;
    if (options_.flatten) {
      columns.event_shape = {columns.image[0] * columns.image[1] * columns.image[2]};
      columns.names = pixel_columns(columns.image);
    }
    if (columns.label.empty() || words().empty()) return;
    columns.cells.push_back({columns.label, CellKind::kCategory, words()});
  }

  // Images of a model that was trained before: what its pixels and its classes mean must stay.
  void check_known() {
    if (known_ == nullptr) return;
    const Columns& expected = known_->columns;
    Columns& got = out_.columns;
    if (expected.image != got.image) {
      fail<DomainError>(kImages, options_.name,
                        "images of the training's size, " + size_text(expected.image),
                        size_text(got.image), "Restore the images, or train anew.");
    }
    if (got.classes > expected.classes || expected.class_names() != got.class_names()) {
      fail<DomainError>(kImages, options_.name,
                        "the classes of the training, " + classes_text(expected), classes_text(got),
                        "Restore the images, or train anew.");
    }
    got.classes = expected.classes;
  }

  // The hashes of the training images by their pixels alone.
  std::vector<uint64_t> identify() {
    const std::vector<uint64_t> train = hash_byte_rows(data_.train.pixels, 0);
    std::vector<uint64_t> all = train;
    if (train_classes_.defined()) mix_in(all, train_classes_);
    if (data_.test) {  // another seed: where an image stands matters
      std::vector<uint64_t> test = hash_byte_rows(data_.test->pixels, 1);
      if (test_classes_.defined()) mix_in(test, test_classes_);
      all.insert(all.end(), test.begin(), test.end());
    }
    const DataIdentity identity{.rows = std::ssize(all), .checksum = checksum_text(all)};
    if (known_ != nullptr) check_identity(identity, *known_, options_.name, out_.notes);
    out_.identity = identity;
    return train;
  }

  SplitRule split_rule(int64_t seed, const at::Tensor& places) const {
    if (known_ != nullptr) return known_->identity.split;
    SplitSizes sizes = split_sizes(options_);
    if (data_.test) sizes.test_rows = 0;
    SplitRule rule = make_split_rule(SplitBy::kRow, seed, places, sizes);
    if (data_.test) rule.test_border = 0.0;  // an image that is new later has a place as well
    return rule;
  }

  void split() {
    const int64_t seed = known_ != nullptr ? known_->identity.split.seed : options_.seed;
    const at::Tensor places =
        places_of(hash_byte_rows(data_.train.pixels, static_cast<uint64_t>(seed)));
    out_.identity->split = split_rule(seed, places);
    const SplitRows parts = apply(out_.identity->split, places);
    const ImageRows train = rows_of(data_.train, train_classes_);
    out_.splits.train = part("train", train, parts.train);
    if (out_.splits.train != nullptr) out_.splits.train = prefetch(changed(out_.splits.train));
    out_.splits.validation = part("validation", train, parts.validation);
    out_.splits.test = part("test", train, parts.test);
    if (data_.test) {
      const at::Tensor all = at::arange(data_.test->pixels.size(0), at::kLong);
      out_.splits.test = part("test", rows_of(*data_.test, test_classes_), all);
    }
    const auto count = [](const SourcePtr& source) {
      return source == nullptr ? std::string("none") : format_count(*source->size());
    };
    out_.notes.push_back("split: " + count(out_.splits.train) + " images to train on, " +
                         count(out_.splits.validation) + " to validate, " +
                         count(out_.splits.test) + " to test" +
                         (data_.test ? ", the part that was published for it" : ""));
  }

  SourcePtr changed(const SourcePtr& train) const {
    const ImageChanges changes{options_.flip, options_.crop_padding};
    if (!changes.any()) return train;
    check_crop(changes, out_.columns.image);
    return augment(train, image_changes(changes), rng_of(options_).fork("changes"));
  }

  ImageRows rows_of(const ImageSet& set, const at::Tensor& classes) const {
    return {.pixels = set.pixels,
            .event = out_.columns.event_shape,
            .classes = classes,
            .class_count = out_.columns.classes,
            .dtype = dtype_,
            .dropped_bits = options_.bits ? 8 - *options_.bits : 0};
  }

  SourcePtr part(const char* name, const ImageRows& images, const at::Tensor& rows) const {
    if (rows.size(0) == 0) return nullptr;
    return std::make_shared<ImageSource>(name, images, rows,
                                         rng_of(options_).fork("order").fork(name));
  }

  void note_images(std::vector<uint64_t> hashes) {
    const int64_t images = out_.identity->rows;
    const int64_t bytes = images * data_.train.pixels[0].numel();
    std::vector<std::string> lines{"read " + format_count(images) + " images of " + options_.name +
                                   ": " + size_text(out_.columns.image) + ", " +
                                   std::to_string(out_.columns.levels) + " levels, " +
                                   format_bytes(bytes) + " in memory"};
    if (!options_.label.empty()) {
      lines.push_back("  " + options_.label + ": given, " + std::to_string(out_.columns.classes) +
                      " classes");
    } else if (!data_.train.labels.empty()) {
      lines.push_back("  labels are not used; label = " + label_names(data_.train) +
                      " conditions on them");
    }
    if (options_.flip || options_.crop_padding > 0) {
      lines.push_back("  training images are " +
                      join(change_words({options_.flip, options_.crop_padding}), " and "));
    }
    std::sort(hashes.begin(), hashes.end());
    const auto copies = hashes.end() - std::unique(hashes.begin(), hashes.end());
    if (copies > 0) {
      lines.push_back("  " + format_count(copies) +
                      " of the training images repeat another one; copies fall into one part");
    }
    out_.notes.insert(out_.notes.begin(), lines.begin(), lines.end());
  }

  const ImageData& data_;
  const DataOptions& options_;
  at::ScalarType dtype_;
  const KnownData* known_;
  at::Tensor train_classes_, test_classes_;
  Dataset out_;
};

}  // namespace

Dataset image_dataset(const ImageData& data, const DataOptions& options, at::ScalarType dtype,
                      const KnownData* known) {
  return ImageBuilder(data, options, dtype, known).build();
}

}  // namespace contraflow::data::images
