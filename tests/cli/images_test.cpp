// Images through the program: a flat model of a folder, its labels, and what is refused.
#include <ATen/ATen.h>

#include <cmath>

#include "tests/cli/program.h"
#include "tests/support/npy.h"

namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

/// 60 grey images of 3 x 4 pixels in the layout of MNIST, with labels 0, 1 and 2, and 12 for the test.
class CliImages : public ::testing::Test {
 protected:
  CliImages() {
    std::filesystem::create_directory(folder_ / "tiny");
    write("train", 60);
    write("t10k", 12);
  }

  void write(const std::string& part, int64_t count) const {
    const auto start = [&](int axes) {
      return std::string("\0\0\x08", 3) + static_cast<char>(axes) + std::string(3, '\0') +
             static_cast<char>(count);
    };
    std::string images = start(3) + std::string("\0\0\0\3\0\0\0\4", 8), labels = start(1);
    for (int64_t i = 0; i < count; ++i) {
      labels += static_cast<char>(i % 3);
      for (int64_t p = 0; p < 12; ++p) images += static_cast<char>((i * 37 + p * p * 11) % 256);
    }
    write_bytes(folder_ / "tiny" / (part + "-images-idx3-ubyte"), images);
    write_bytes(folder_ / "tiny" / (part + "-labels-idx1-ubyte"), labels);
  }

  std::vector<std::string> train(const std::vector<std::string>& more) const {
    return std::vector<std::string>{"train",     "--data",  path("tiny") + "/", "--out",
                                    path("run"), "--model", "idensenet"} +
           tiny() + settings({"model.blocks=1", "training.batch_size=16"}) + more;
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  TempFolder folder_;
};

TEST_F(CliImages, AFlatModelIsTrainedMeasuredAndDrawn) {
  const Ran ran = run(train(settings({"data.flatten=true"})));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("read 72 images"));
  EXPECT_THAT(ran.err, HasSubstr("3 x 4 grey, 256 levels"));
  const auto measured = run({"evaluate", path("run"), "--json"}).json();
  EXPECT_EQ(measured["rows"], 12) << "the published test";
  EXPECT_TRUE(measured.contains("bits_per_dim"));
  EXPECT_EQ(run({"plot", path("run"), "--kind", "samples"}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / "samples.png"));
  ASSERT_EQ(run({"sample", path("run"), "-n", "5", "-o", path("s.npy")}).code, 0);
  const at::Tensor samples = read_npy(path("s.npy"));
  EXPECT_EQ(samples.sizes(), at::IntArrayRef({5, 12}));
  EXPECT_TRUE(samples.equal(samples.round().clamp(0, 255)));
  write("train", 59);
  const Ran changed = run({"evaluate", path("run")});
  expect_error(changed, 2, {"72 rows with checksum", "71 rows", "--allow-changed-data"});
  EXPECT_EQ(run({"evaluate", path("run"), "--allow-changed-data"}).code, 0);
}

TEST_F(CliImages, AModelOfImagesIsTrainedAndResumed) {
  const std::vector<std::string> model = settings(
      {"model.net.depth=1", "model.net.growth=4", "model.net.kernels=[3, 1]", "model.blocks=1",
       "data.flip=true", "data.bits=5", "training.batch_size=16", "training.validate_every=2"});
  const auto command = [&](const std::string& steps) {
    return std::vector<std::string>{"train",   "--data",    path("tiny"), "--out", path("run"),
                                    "--model", "idensenet", "--steps",    steps} +
           model;
  };
  const Ran ran = run(command("2"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("3 x 4 grey, 32 levels"));
  EXPECT_THAT(ran.err, HasSubstr("flipped in half of the steps"));
  ASSERT_EQ(run(command("4") + std::vector<std::string>{"--resume"}).code, 0);
  const auto measured = run({"evaluate", path("run"), "--json"}).json();
  EXPECT_EQ(measured["rows"], 12);
  const double nats = measured["nll_nats"]["mean"];
  EXPECT_NEAR(measured["bits_per_dim"]["mean"].get<double>(), nats / (12.0 * std::log(2.0)), 1e-12);
  expect_error(run({"train", "moons", "--set", "data.flip=true", "--out", path("x")}), 2,
               {"flip", "moons"});
}

TEST_F(CliImages, LabelsAreConditions) {
  const Ran ran =
      run(train(settings({"data.flatten=true"}) + std::vector<std::string>{"--label", "label"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("label: given, 3 classes"));
  EXPECT_EQ(run({"evaluate", path("run")}).code, 0);
  EXPECT_EQ(run({"sample", path("run"), "-n", "2", "-o", path("s.npy"), "--given", "label=2"}).code,
            0);
  expect_error(run({"sample", path("run"), "-n", "2", "-o", path("s.npy"), "--given", "label=3"}),
               2, {"a class from 0 to 2"});
}

TEST_F(CliImages, AConvolutionalModelTakesImagesAsTheyAre) {
  const auto small = [&](const std::vector<std::string>& more) {
    return run(std::vector<std::string>{"train", "--data", path("tiny") + "/", "--out", path("run"),
                                        "--model", "image_small", "--overwrite"} +
               tiny() + settings({"model.net.hidden=[4,4]", "training.batch_size=16"}) +
               settings(more));
  };
  expect_error(small({"model.blocks=[1,1]"}), 2,
               {"[model] blocks", "3 x 4 pixels, which can be halved 0 times"});
  const Ran ran = small({"model.blocks=[1]", "model.squeeze_first=false"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(run({"evaluate", path("run"), "--json"}).json().contains("bits_per_dim"));
  ASSERT_EQ(run({"sample", path("run"), "-n", "5", "-o", path("s.npy")}).code, 0);
  const at::Tensor samples = read_npy(path("s.npy"));
  EXPECT_EQ(samples.sizes(), at::IntArrayRef({5, 1, 3, 4})) << "images, as they came";
  EXPECT_TRUE(samples.equal(samples.round().clamp(0, 255)));
}

TEST_F(CliImages, ModelsOfRowsSayHowImagesBecomeRows) {
  expect_error(run(train({})), 2,
               {"model.net.kernels", "events of shape [1, 3, 4]", "data.flatten = true"});
  expect_error(run({"train", folder_.path().string()}), 2, {"a folder", "a folder of images"});
}

TEST_F(CliImages, ARunIsNoFolderOfImages) {
  const std::string moons = moons_run().string();
  ASSERT_EQ(run({"plot", moons, "--kind", "density"}).code, 0);
  expect_error(run({"train", moons}), 2, {"a run folder", "--resume"});
}

}  // namespace
}  // namespace contraflow::testing
