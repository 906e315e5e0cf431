#include "contraflow/data/data_registry.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/data/expect_error.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::HasSubstr;

TEST(DataRegistry, EntriesSayWhatTheyAre) {
  const nlohmann::ordered_json keys = options_to_json(DataOptions{});
  std::set<std::string> names;
  for (const DataEntry& entry : data_registry()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.summary.empty()) << entry.name;
    EXPECT_FALSE(entry.kind.empty()) << entry.name;
    for (const std::string& key : entry.options) EXPECT_TRUE(keys.contains(key)) << key;
    if (entry.is_builtin()) {
      EXPECT_EQ(find_data(entry.name).name, entry.name);
    }
  }
  EXPECT_EQ(names.size(), 22U);
  EXPECT_EQ(builtin_data_names().size(), 16U);
}

TEST(DataRegistry, BuiltinDataOpenByTheirNames) {
  for (const std::string& name : builtin_data_names()) {
    const Dataset data = open_data({.name = name, .validation_rows = 20, .test_rows = 20});
    EXPECT_EQ(data.name, name);
    const Batch batch = data.splits.train->batch(0, 5);
    EXPECT_EQ(batch.x.size(0), 5);
    EXPECT_EQ(batch.x.sizes().slice(1), at::IntArrayRef(data.columns.event_shape));
    EXPECT_EQ(data.splits.train->event_shape(), data.columns.event_shape);
  }
}

TEST(DataRegistry, FilesAreFoundByTheirEndings) {
  const TempFolder folder;
  for (const char* name : {"a.csv", "a.tsv", "a.txt"}) {
    write_bytes(folder / name, "1\n2\n");
    EXPECT_EQ(find_data((folder / name).string()).name, "csv");
  }
  write_bytes(folder / "a.npy", "");
  EXPECT_EQ(find_data((folder / "a.npy").string()).name, "npy");
  write_bytes(folder / "a.png", "");
  expect_error<ConfigError>([&] { find_data((folder / "a.png").string()); }, {"'.png'"});
}

TEST(DataRegistry, ImagesAreFoundByNamesAndFolders) {
  const TempFolder folder;
  const auto holds = [&](const std::string& name, const std::string& file) {
    std::filesystem::create_directories((folder / name / file).parent_path());
    write_bytes(folder / name / file, "");
    return find_data((folder / name).string()).name;
  };
  EXPECT_EQ(holds("mnist", "train-images-idx3-ubyte.gz"), "idx");
  EXPECT_EQ(holds("cifar", "data_batch_1.bin"), "cifar");
  EXPECT_EQ(holds("cifar100", "train.bin.gz"), "cifar");
  EXPECT_EQ(holds("imagenet", "train_data_batch_1.npz"), "imagenet");
  EXPECT_EQ(holds("flat", "1.png"), "png");
  EXPECT_EQ(holds("classes", "a/1.png"), "png");
  EXPECT_EQ(holds("parts", "train/a/1.PNG"), "png");
  const std::string mnist = (folder / "mnist").string();
  EXPECT_EQ(find_data(mnist + "/").name, "idx");
  EXPECT_EQ(find_data(mnist + "/train-images-idx3-ubyte.gz").name, "idx");
  EXPECT_EQ(find_data((folder / "cifar" / "data_batch_1.bin").string()).name, "cifar");
  expect_error<ConfigError>([&] { open_data({.name = mnist, .levels = 8}); },
                            {"levels", "the images", "label, flatten"});
}

// An option that an entry would not look at is refused, not ignored.
TEST(DataRegistry, OptionsThatDoNotApplyAreRefused) {
  expect_error<ConfigError>([] { open_data({.name = "moons", .weight = "x0"}); },
                            {"weight", "the toy density 'moons'", "columns, condition, label"});
  expect_error<ConfigError>(
      [] {
        open_data({.name = "digits", .image = {8, 8}});
      },
      {"image", "the built-in data set 'digits'"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .header = CsvHeader::kNo}); },
                            {"header"});
}

}  // namespace
}  // namespace contraflow::data
