// Bad and edge inputs of every transform.
#include <ATen/ATen.h>

#include "tests/laws/law_case.h"
#include "tests/support/tensors.h"

namespace contraflow::laws {
namespace {

using contraflow::testing::error_of;
using contraflow::testing::near;
using ::testing::HasSubstr;

TEST_P(TransformLaw, OneRowWorks) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const Context own = slice_context(context, 0, 1);
  const TransformOutput out = t->forward(x.slice(0, 0, 1), own);
  EXPECT_EQ(out.value.size(0), 1);
  EXPECT_EQ(t->inverse(out.value, own).value.size(0), 1);
}

TEST_P(TransformLaw, EmptyBatchIsAnError) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const Context none = slice_context(context, 0, 0);
  const at::Tensor z = t->forward(x, context).value;
  for (const std::string& text :
       {error_of<ShapeError>([&, &t = t, &x = x] { t->forward(x.slice(0, 0, 0), none); }),
        error_of<ShapeError>([&, &t = t] { t->inverse(z.slice(0, 0, 0), none); })}) {
    EXPECT_THAT(text, HasSubstr("at least one row"));
  }
}

TEST_P(TransformLaw, WrongShapeNamesBothShapes) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  for (int64_t axis = 1; axis < x.dim(); ++axis) {
    const at::Tensor wide = at::cat({x, x}, axis);
    const std::string text =
        error_of<ShapeError>([&, &t = t, &context = context] { t->forward(wide, context); });
    EXPECT_THAT(text, HasSubstr("[Transform.forward] x: expected [B] + " +
                                c10::str(at::IntArrayRef(t->event_shape()))));
    EXPECT_THAT(text, HasSubstr("got " + c10::str(wide.sizes())));
  }
  const std::string flat =
      error_of<ShapeError>([&t = t, &x = x, &context = context] { t->inverse(x[0], context); });
  EXPECT_THAT(flat, HasSubstr("[Transform.inverse] z"));
}

TEST_P(TransformLaw, WrongTypeIsAnError) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const std::string text = error_of<DtypeError>(
      [&t = t, &x = x, &context = context] { t->forward(x.to(at::kLong), context); });
  EXPECT_THAT(text, HasSubstr("float32 or float64"));
}

TEST_P(TransformLaw, OtherFloatTypeIsAnError) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  EXPECT_THAT(error_of<DtypeError>(
                  [&t = t, &x = x, &context = context] { t->forward(x.to(at::kFloat), context); }),
              HasSubstr("expected double"));
}

TEST_P(TransformLaw, ConditionIsChecked) {
  auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  std::vector<int64_t> shape = t->condition_shape();
  shape.insert(shape.begin(), kRows);
  shape.back() += 1;
  Context wrong = context;
  wrong.condition = at::zeros(shape, x.options());
  EXPECT_THAT(error_of<ShapeError>([&, &t = t, &x = x] { t->forward(x, wrong); }),
              HasSubstr("condition"));
}

TEST_P(TransformLaw, MissingConditionIsAnError) {
  auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  Context wrong = context;
  wrong.condition = at::Tensor();
  EXPECT_THAT(error_of<ShapeError>([&, &t = t, &x = x] { t->forward(x, wrong); }),
              HasSubstr("Set Context::condition"));
}

TEST_P(TransformLaw, NonContiguousInputsGiveTheSame) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const at::Tensor strided = at::stack({x, x}, x.dim()).select(x.dim(), 1);
  ASSERT_TRUE(x.numel() < 2 || !strided.is_contiguous());
  constexpr double kRounding = 1e-12;  // other strides may take another kernel
  EXPECT_TRUE(near(t->forward(strided, context).value, t->forward(x, context).value, kRounding));
}

}  // namespace
}  // namespace contraflow::laws
