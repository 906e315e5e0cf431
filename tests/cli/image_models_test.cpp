// Models of images through the program: exact likelihoods, scores, samples, pictures, certificates.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "cli/console.h"
#include "cli/program.h"
#include "contraflow/data/digits.h"
#include "contraflow/data/image_files.h"
#include "tests/cli/program.h"
#include "tests/data/image_files.h"
#include "tests/support/npy.h"

namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

/// The program within this one, which spares its start: most of the time of a short command.
Ran inside(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  cli::Console console(out, err, {});
  Ran ran;
  ran.code = cli::run_program(arguments, console);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

std::vector<std::string> convolutions() {
  return settings({"model.blocks=2", "model.net.depth=1", "model.net.growth=4",
                   "model.net.kernels=[3,3]", "training.steps=6", "training.batch_size=32",
                   "training.init_rows=64", "training.validate_every=3", "training.log_every=1",
                   "training.checkpoint_every=3"});
}

/// Two models of the digits as images, trained once.
const fs::path& digit_images(const std::string& name) {
  static const TempFolder folder;
  static std::map<std::string, fs::path> made;
  fs::path& out = made[name];
  if (!out.empty()) return out;
  out = folder / name;
  const Ran ran = inside(
      std::vector<std::string>{"train", "--data", "digits_images", "--model", "idensenet", "--out",
                               out.string()} +
      convolutions() +
      settings({"data.validation_rows=64", name == "a" ? "training.steps=6" : "training.steps=9"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  return out;
}

std::string model() { return digit_images("a").string(); }

at::Tensor digit_pixels(int64_t count) {
  return data::load_digits().x.narrow(0, 0, count).to(at::kByte).view({count, 1, 8, 8});
}

class ImageModels : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void write_pngs(const std::string& folder, const at::Tensor& images) const {
    fs::create_directories(folder_ / folder);
    for (int64_t k = 0; k < images.size(0); ++k)
      write_bytes(folder_ / folder / ("d" + std::to_string(k) + ".png"), png_bytes(images[k]));
  }

  /// Lines of a CSV, without the header.
  std::vector<std::string> lines_of(const std::string& name) const {
    std::istringstream in(read_bytes(folder_ / name));
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }

  TempFolder folder_;
};

// ------------------------------------------------------------------------------------ evaluate

TEST_F(ImageModels, ExactBitsAgreeWithEstimates) {
  const auto evaluate = [](const std::vector<std::string>& more) {
    const Ran ran =
        inside(std::vector<std::string>{"evaluate", model(), "--rows", "100", "--json"} + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  };
  const auto exact = evaluate({"--exact", "--draws", "4"});
  EXPECT_EQ(exact["rows"], 100);
  EXPECT_EQ(exact["rows_of_split"], 360);
  EXPECT_EQ(exact["exact"]["features"], 64);
  EXPECT_EQ(exact["exact"]["products"], 2 * 25) << "two blocks that read two pixels far";
  EXPECT_EQ(exact["error_parts"]["probe"], 0.0);
  const double bits = exact["bits_per_dim"]["mean"];
  EXPECT_LE(exact["probability_bits_per_dim"]["mean"].get<double>(), bits);
  const auto parts = exact["bits_per_dim_parts"];
  EXPECT_NEAR(std::hypot(parts["data"].get<double>(), parts["dequantization"].get<double>()),
              exact["bits_per_dim"]["standard_error"].get<double>(), 1e-9);
  for (const char* kind : {"roulette", "adaptive", "krylov"}) {
    const auto other = evaluate(settings({std::string("model.eval_log_det=") + kind}));
    EXPECT_TRUE(other["exact"].is_null());
    const auto own = other["bits_per_dim_parts"];
    const double error = std::hypot(own["probe"].get<double>(), own["roulette"].get<double>());
    EXPECT_GT(error, 0.0) << kind;
    const double bias = other["bias_bound"].get<double>() / (64 * std::log(2.0));
    EXPECT_NEAR(other["bits_per_dim"]["mean"].get<double>(), bits, 5 * error + bias) << kind;
  }
}

TEST_F(ImageModels, AReportNamesItsImages) {
  const Ran ran = run({"evaluate", model(), "--exact", "--rows", "20", "--batch", "3"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the first 20 images of 360"));
  EXPECT_THAT(ran.out, HasSubstr("nats per image"));
  EXPECT_THAT(ran.out, HasSubstr("dequantization ±"));
  EXPECT_THAT(ran.out, HasSubstr("images/s"));
  expect_error(inside({"evaluate", model(), "--exact", "--set", "model.eval_log_det=krylov"}), 2,
               {"--exact", "model.eval_log_det", "Drop one of them"});
}

TEST_F(ImageModels, APairedDifferenceHasASmallerError) {
  const Ran ran = inside({"compare", digit_images("a").string(), digit_images("b").string(),
                          "--exact", "--rows", "60", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  EXPECT_LT(json["difference_nats"]["standard_error"].get<double>(),
            0.5 * json["unpaired_error"].get<double>());
  EXPECT_EQ(json["rows"], 60);
}

TEST_F(ImageModels, AComparisonWithAModelOfRowsNamesBothShapes) {
  expect_error(inside({"compare", model(), moons_run().string()}), 2,
               {"[compare] B: expected a model of 1 x 8 x 8 images, as A is, got one of rows of 2 "
                "columns"});
  expect_error(inside({"compare", moons_run().string(), model()}), 2,
               {"expected a model of rows of 2 columns", "got one of 1 x 8 x 8 images"});
}

// --------------------------------------------------------------------------------------- score

TEST_F(ImageModels, EveryLayoutGetsTheSameScores) {
  const at::Tensor images = digit_pixels(12);
  write_pngs("pngs", images);
  write_bytes(folder_ / "d-ubyte", idx_bytes(images.squeeze(1)));
  write_bytes(folder_ / "d.npz", npz_bytes({{"images", images}}));
  write_npy(folder_ / "bytes.npy", images);
  write_npy(folder_ / "grey.npy", images.squeeze(1).to(at::kDouble));
  write_npy(folder_ / "whole.npy", images.to(at::kLong));
  const auto scores = [this](const std::string& input) {
    const Ran ran = inside({"score", model(), path(input), "--out", path(input + "_scores.npy")});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("bits per dimension"));
    return read_npy(path(input + "_scores.npy"));
  };
  const at::Tensor expected = scores("bytes.npy");
  EXPECT_EQ(expected.size(0), 12);
  EXPECT_TRUE(expected.isfinite().all().item<bool>());
  for (const char* input : {"pngs", "d-ubyte", "d.npz", "grey.npy", "whole.npy"})
    EXPECT_TRUE(scores(input).equal(expected)) << input;
  const Ran named = inside({"score", model(), path("pngs"), "--out", path("named.csv"), "--flags"});
  ASSERT_EQ(named.code, 0) << named.err;
  const std::vector<std::string> lines = lines_of("named.csv");
  ASSERT_EQ(lines.size(), 13);
  EXPECT_EQ(lines[0], "file,flag,log_prob,standard_error");
  EXPECT_THAT(lines[3], ::testing::StartsWith("d2.png,scored,")) << "2 before 10";
  EXPECT_THAT(lines[11], ::testing::StartsWith("d10.png,"));
}

TEST_F(ImageModels, ALevelThatTheModelHasNotIsFlagged) {
  at::Tensor images = digit_pixels(3).clone();
  images[1][0][4][4] = 200;
  write_pngs("pngs", images);
  const Ran ran = inside({"score", model(), path("pngs"), "--out", path("s.csv")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("pixels up to 200, and the model knows the levels 0 to 16"));
  EXPECT_THAT(ran.out, HasSubstr("d1.png"));
  EXPECT_THAT(lines_of("s.csv")[2], HasSubstr("d1.png,-inf"));
  EXPECT_THAT(lines_of("s.csv")[3], Not(HasSubstr("inf")));
}

TEST_F(ImageModels, ImagesOfAnotherSizeAreRefused) {
  write_npy(folder_ / "large.npy", some_pixels({3, 1, 28, 28}));
  write_npy(folder_ / "floats.npy", some_pixels({3, 3, 8, 8}).to(at::kDouble));
  write_pngs("colors", some_pixels({2, 3, 8, 8}));
  write_npy(folder_ / "events.npy", some_pixels({2, 2, 8, 8}));
  const auto score = [this](const std::string& input) {
    return inside({"score", model(), path(input), "--out", path("s.csv")});
  };
  expect_error(score("large.npy"), 2, {"1 x 8 x 8", "1 x 28 x 28", "Crop or scale them to 8 x 8"});
  for (const char* input : {"floats.npy", "colors"})
    expect_error(score(input), 2, {"1 x 8 x 8", "3 x 8 x 8", "Convert them to grey"});
  expect_error(score("events.npy"), 2, {"1 x 8 x 8", "2 x 8 x 8"});
  expect_error(inside({"score", model(), path("colors"), "-o", path("s.csv"), "--keep", "x"}), 2,
               {"1 x 8 x 8"});
  write_pngs("good", digit_pixels(2));
  expect_error(inside({"score", model(), path("good"), "-o", path("s.csv"), "--columns", "x"}), 2,
               {"--columns", "images"});
  EXPECT_FALSE(fs::exists(folder_ / "s.csv"));
}

TEST_F(ImageModels, BadFilesAreNamed) {
  const std::string good = png_bytes(digit_pixels(1)[0]);
  const auto score = [this](const std::string& input) {
    return inside({"score", model(), path(input), "--out", path("s.csv")});
  };
  const auto folder_of = [this](const std::string& name, const std::string& bytes) {
    fs::create_directories(folder_ / name);
    write_bytes(folder_ / name / "a.png", bytes);
  };
  folder_of("cut", good.substr(0, good.size() / 2));
  expect_error(score("cut"), 1, {"a.png", "a whole PNG file"});
  PngText sixteen{.width = 8, .height = 8, .depth = 16};
  sixteen.rows.assign(8, std::string(16, '\1'));
  folder_of("sixteen", png_bytes(sixteen));
  expect_error(score("sixteen"), 1, {"a.png", "8 bits"});
  PngText alpha{.width = 8, .height = 8, .color = 4};
  alpha.rows.assign(8, std::string(16, '\1'));
  folder_of("alpha", png_bytes(alpha));
  expect_error(score("alpha"), 1, {"a.png", "alpha"});
  PngText palette{.width = 8, .height = 8, .color = 3};
  palette.rows.assign(8, std::string(8, '\0'));
  palette.before_data = png_chunk("PLTE", std::string("\1\2\3", 3));
  folder_of("palette", png_bytes(palette));
  expect_error(score("palette"), 2, {"3 x 8 x 8", "Convert them to grey"});
  PngText huge{.width = 60'000, .height = 60'000};
  folder_of("huge", png_bytes(huge));
  expect_error(score("huge"), 1, {"a.png", "60000 x 60000"});
  folder_of("sizes", good);
  write_bytes(folder_ / "sizes" / "b.png", png_bytes(some_pixels({1, 9, 8})));
  expect_error(score("sizes"), 1, {"b.png", "8 x 8", "9 x 8"});
  fs::create_directory(folder_ / "empty");
  expect_error(score("empty"), 1, {"empty", "a folder of .png files"});
  expect_error(score("missing"), 1, {"missing", "does not exist"});
  expect_error(score("missing.png"), 1, {"missing.png", "does not exist"});
  const std::string idx = idx_bytes(digit_pixels(3).squeeze(1));
  write_bytes(folder_ / "cut-ubyte", idx.substr(0, idx.size() - 7));
  expect_error(score("cut-ubyte"), 1, {"cut-ubyte"});
  write_bytes(folder_ / "absurd-ubyte", idx.substr(0, 4) + "\x7f" + idx.substr(5));
  expect_error(score("absurd-ubyte"), 1, {"absurd-ubyte"});
  EXPECT_FALSE(fs::exists(folder_ / "s.csv"));
}

// -------------------------------------------------------------------------------------- sample

TEST_F(ImageModels, SamplesAreImagesOfTheModelsLevels) {
  const auto sample = [this](const std::string& out, const std::string& count) {
    const Ran ran = inside({"sample", model(), "-n", count, "-o", path(out), "--seed", "5"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran;
  };
  sample("s.npy", "7");
  EXPECT_THAT(read_bytes(folder_ / "s.npy").substr(0, 80), HasSubstr("|u1"));
  const at::Tensor images = read_npy(folder_ / "s.npy");
  EXPECT_EQ(images.sizes(), at::IntArrayRef({7, 1, 8, 8}));
  EXPECT_GE(images.min().item<double>(), 0.0);
  EXPECT_LE(images.max().item<double>(), 16.0);
  EXPECT_GT(images.std().item<double>(), 1.0);
  sample("three.npy", "3");
  EXPECT_TRUE(read_npy(folder_ / "three.npy").equal(images.narrow(0, 0, 3)));
  EXPECT_THAT(sample("pictures/", "7").out, HasSubstr("7 images 1 x 8 x 8"));
  const data::ImageFiles found = data::read_image_files(path("pictures"));
  EXPECT_EQ(found.names.back(), "000006.png");
  EXPECT_TRUE(found.pixels.equal((images * (255.0 / 16.0)).round().to(at::kByte)));
  sample("rows.csv", "7");
  const std::vector<std::string> lines = lines_of("rows.csv");
  EXPECT_EQ(lines.size(), 8);
  EXPECT_EQ(std::count(lines[1].begin(), lines[1].end(), ','), 63);
  expect_error(inside({"sample", model(), "-n", "2", "-o", path("pictures/")}), 2,
               {"a folder without PNG files"});
}

TEST_F(ImageModels, OnePictureHoldsThemAll) {
  const Ran ran = inside({"sample", model(), "-n", "10", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["output"], (digit_images("a") / "sampled.png").string());
  EXPECT_TRUE(ran.json()["mean_log_prob"].is_null()) << "it was not computed";
  EXPECT_GT(fs::file_size(digit_images("a") / "sampled.png"), 1000U);
  expect_error(inside({"sample", model(), "-n", "2000"}), 2,
               {"[sample] -n:", "1,024 images in one picture"});
  for (const char* name : {"s.jpg", "s.npz", "s.npy.gz"})
    expect_error(inside({"sample", model(), "-n", "2", "--out", path(name)}), 2,
                 {"[sample] --out:", ".npy", ".png", "FOLDER/", name});
  expect_error(inside({"sample", model(), "-n", "2", "-o", path("s.npy"), "--log-prob"}), 2,
               {"--log-prob", "contraflow score"});
  expect_error(inside({"sample", moons_run().string(), "-n", "2", "-o", path("s.png")}), 2,
               {"[sample] -o:", "for images"});
  expect_error(inside({"sample", moons_run().string(), "-n", "2"}), 2, {"--out", "none"});
}

TEST_F(ImageModels, ATableOfSamplesHasLogDensities) {
  ASSERT_EQ(inside({"sample", model(), "-n", "3", "-o", path("s.csv"), "--log-prob"}).code, 0);
  EXPECT_THAT(lines_of("s.csv")[0], ::testing::EndsWith(",log_prob"));
}

// ------------------------------------------------------------------------ plot, certify, info

TEST_F(ImageModels, PicturesAreThoseOfImages) {
  const Ran ran = inside({"plot", model(), "--out", path("pictures")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* name : {"samples.png", "reconstructions.png", "curves.png"})
    EXPECT_TRUE(fs::exists(folder_ / "pictures" / name)) << name;
  EXPECT_FALSE(fs::exists(folder_ / "pictures" / "marginals.png"));
  expect_error(inside({"plot", model(), "--kind", "pairs"}), 2, {"rows of columns", "1 x 8 x 8"});
  expect_error(inside({"plot", model(), "--columns", "x"}), 2, {"--columns", "a model of images"});
  expect_error(inside({"plot", moons_run().string(), "--kind", "reconstructions"}), 2,
               {"a model of images"});
}

int64_t width_of_png(const fs::path& path) {
  const std::string bytes = read_bytes(path);
  int64_t width = 0;
  for (size_t k = 16; k < 20; ++k) width = 256 * width + static_cast<unsigned char>(bytes.at(k));
  return width;
}

// What differs has a block of its own; empty images would not show that nothing does.
TEST_F(ImageModels, DifferencesAreDrawnWhereThereAreSome) {
  const fs::path loose = folder_ / "loose";
  ASSERT_EQ(inside(std::vector<std::string>{"train", "--data", "digits_images", "--model",
                                            "idensenet", "--out", loose.string()} +
                   convolutions() + settings({"model.tolerance=50"}))
                .code,
            0);
  const auto draw = [this](const fs::path& run, const std::string& name) {
    const Ran ran =
        inside({"plot", run.string(), "--kind", "reconstructions", "--out", path(name)});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return width_of_png(folder_ / name / "reconstructions.png");
  };
  constexpr int64_t kBlock = 2 * (4 * 48 + 12);  // four images of 44 points, in pixels
  const int64_t with_differences = draw(loose, "loose_pictures"), without = draw(model(), "same");
  EXPECT_GT(with_differences - without, kBlock);
  EXPECT_GT(without, 2 * kBlock);
}

TEST_F(ImageModels, NoPixelComesBackWrong) {
  const Ran ran = inside({"certify", model(), "--rows", "30", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto json = ran.json();
  EXPECT_EQ(json["wrong_values"], 0);
  EXPECT_EQ(json["values"], 30 * 64);
  EXPECT_EQ(json["verdict"], "CERTIFIED");
  EXPECT_GT(json["blocks"][0]["worst_solve_bound"].get<double>(), 0.0);
  EXPECT_THAT(inside({"certify", model(), "--rows", "9"}).out,
              HasSubstr("0 of 576 after the way to the latent and back, in 0 of 9 images"));
}

TEST_F(ImageModels, InfoTellsTheScales) {
  const auto json = inside({"info", model(), "--json"}).json();
  EXPECT_EQ(json["event"], std::vector<int64_t>({1, 8, 8}));
  ASSERT_EQ(json["scales"].size(), 1);
  EXPECT_EQ(json["scales"][0]["blocks"], 2);
  EXPECT_EQ(json["scales"][0]["receptive_radius"], 2);
  EXPECT_EQ(json["exact_evaluation"]["bytes_per_row"], 8 * (3 * 64 * 25 + 5 * 64 * 64));
  const Ran text = inside({"info", model()});
  EXPECT_THAT(text.out, HasSubstr("1 x 8 x 8 images"));
  EXPECT_THAT(text.out, HasSubstr("2 pixels far"));
  EXPECT_THAT(text.out, HasSubstr("An exact evaluation takes"));
}

// ------------------------------------------------------------------------- changed data, labels

TEST_F(ImageModels, AModelMeetsImagesOfItsOwnSizeOnly) {
  const auto write = [this](int64_t side) {
    const at::Tensor images = some_pixels({40, side, 6});
    write_bytes(folder_ / "own-images-ubyte", idx_bytes(images));
  };
  write(6);
  const std::string out = path("run");
  const Ran ran = run(std::vector<std::string>{"train", "--data", path("own-images-ubyte"),
                                               "--model", "idensenet", "--out", out} +
                      convolutions() + settings({"model.blocks=1", "training.steps=2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  write(8);
  for (const char* command : {"evaluate", "certify"})
    expect_error(inside({command, out}), 2, {"6 x 6", "8 x 6"});
}

TEST_F(ImageModels, LabelsAreConditions) {
  const at::Tensor images = digit_pixels(60), labels = at::arange(60).remainder(3);
  fs::create_directory(folder_ / "set");
  const auto write = [&](const std::string& name, const at::Tensor& classes) {
    write_bytes(folder_ / "set" / (name + "-images-idx3-ubyte"), idx_bytes(images.squeeze(1)));
    write_bytes(folder_ / "set" / (name + "-labels-idx1-ubyte"), idx_bytes(classes));
  };
  write("train", labels);
  const std::string out = path("run");
  const Ran ran = run(std::vector<std::string>{"train", "--data", path("set"), "--model",
                                               "idensenet", "--label", "label", "--out", out} +
                      convolutions() + settings({"model.blocks=1", "training.steps=2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto score = [&](const std::vector<std::string>& more) {
    return inside(std::vector<std::string>{"score", out, "--out", path("s.npy")} + more);
  };
  ASSERT_EQ(score({path("set/train-images-idx3-ubyte")}).code, 0);
  const at::Tensor own = read_npy(path("s.npy"));
  ASSERT_EQ(score({path("set/train-images-idx3-ubyte"), "--given", "label=1"}).code, 0);
  const at::Tensor given = read_npy(path("s.npy"));
  EXPECT_TRUE(own[1].equal(given[1])) << "image 1 is of class 1";
  EXPECT_FALSE(own[0].equal(given[0]));
  write_npy(folder_ / "plain.npy", images);
  expect_error(score({path("plain.npy")}), 2, {"labels", "--given label=CLASS"});
  EXPECT_EQ(score({path("plain.npy"), "--given", "label=2"}).code, 0);
  write("train", labels + 1);
  expect_error(score({path("set/train-images-idx3-ubyte")}), 2,
               {"labels from 0 to 2, the classes of the model", "got 3"});
  const Ran drawn =
      inside({"sample", out, "-n", "4", "-o", path("threes.npy"), "--given", "label=2"});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
}

}  // namespace
}  // namespace contraflow::testing
