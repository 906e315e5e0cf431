#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options_detail.h"

/// The writing and describing halves of options_detail.h.
namespace contraflow {

/// One row of help: a field, or one alternative's field of a variant.
struct OptionInfo {
  std::string path;  ///< "training.optimizer.learning_rate"; lists of tables: "layers[].kind".
  std::string type;  ///< "integer", "number", "text", "list of integer", "constant | cosine".
  std::string default_value;  ///< As TOML and JSON write it; "none" for an empty optional.
  std::string range;          ///< "> 0"; empty when every value of the type will do.
  std::string help;
  std::string condition;  ///< "log_det.kind = roulette" when only that alternative has the field.
};

namespace detail {

/// Builds JSON value by value, like a SAX handler.
class CF_EXPORT JsonBuilder {
 public:
  explicit JsonBuilder(std::string_view where);
  ~JsonBuilder();
  JsonBuilder(const JsonBuilder&) = delete;
  JsonBuilder& operator=(const JsonBuilder&) = delete;

  void open_object();
  void open_list();
  void close();
  void key(std::string_view name);
  void null();
  void boolean(bool value);
  void integer(int64_t value);
  void number(double value);  ///< ConfigError for NaN and infinity, which JSON cannot hold.
  void text(std::string_view value);
  void event_shape(const EventShape& value);  ///< A number for a row, else a list; 0 when empty.
  /// Enum name; ConfigError when empty, that is for a value without a name.
  void choice(std::string_view name);
  void json(const Json& value);
  void move_to(Json& out);

  template <class T>
  void on_field(std::string_view name, T& value, const Constraint&, std::string_view) {
    key(name);
    write_value(value);
  }

  template <class T>
  void write_value(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      boolean(value);
    } else if constexpr (std::is_integral_v<T>) {
      integer(static_cast<int64_t>(value));
    } else if constexpr (std::is_same_v<T, double>) {
      number(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      text(value);
    } else if constexpr (std::is_same_v<T, EventShape>) {
      event_shape(value);
    } else if constexpr (std::is_enum_v<T>) {
      choice(enum_name(value));
    } else if constexpr (std::is_same_v<T, Json>) {
      json(value);
    } else if constexpr (IsOptional<T>::value) {
      value ? write_value(*value) : null();
    } else if constexpr (IsVector<T>::value) {
      open_list();
      for (auto& element : value) write_value(element);
      close();
    } else if constexpr (IsVariant<T>::value) {
      std::visit([this](auto& options) { write_struct(options, options.kKind); }, value);
    } else {
      write_struct(value, {});
    }
  }

 private:
  template <class T>
  void write_struct(T& value, std::string_view kind) {
    open_object();
    if (!kind.empty()) {
      key("kind");
      text(kind);
    }
    visit_fields(value, *this);
    close();
  }

  struct State;
  std::unique_ptr<State> state_;
};

/// "integer", "list of number", "constant | cosine".
template <class T>
std::string type_text() {
  std::string out;
  const auto alternatives = [&out](const std::vector<std::string>& names) {
    for (const std::string& name : names) out.append(out.empty() ? "" : " | ").append(name);
  };
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_integral_v<T>) {
    return "integer";
  } else if constexpr (std::is_same_v<T, double>) {
    return "number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else if constexpr (std::is_same_v<T, EventShape>) {
    return "integer or list of integer";
  } else if constexpr (std::is_enum_v<T>) {
    alternatives(enum_name_list<T>());
  } else if constexpr (IsVariant<T>::value) {
    alternatives(variant_kinds(T{}));
  } else if constexpr (IsOptional<T>::value) {
    return type_text<typename T::value_type>() + " or none";
  } else if constexpr (IsVector<T>::value) {
    return out.append("list of ").append(type_text<typename T::value_type>());
  } else {
    return std::is_same_v<T, Json> ? "any value" : "table";
  }
  return out;
}

/// Collects OptionInfo rows.
class CF_EXPORT Describer {
 public:
  template <class T>
  void on_field(std::string_view name, T& value, const Constraint& constraint,
                std::string_view help) {
    const std::string outer = path_;
    path_.append(path_.empty() ? "" : ".").append(name);
    describe(value, constraint, help);
    path_ = outer;
  }
  std::vector<OptionInfo> take() { return std::move(rows_); }

 private:
  template <class T>
  void describe(T& value, const Constraint& constraint, std::string_view help) {
    if constexpr (kIsStruct<T>) {
      visit_fields(value, *this);
    } else {
      JsonBuilder builder("describe_options");
      builder.write_value(value);
      add_row(type_text<T>(), builder, constraint, help);
      describe_inside(value);
    }
  }

  /// Rows for what a field contains: alternatives of a variant, the element type of a list.
  template <class T>
  void describe_inside(T& value) {
    if constexpr (IsVariant<T>::value) {
      describe_kinds(value);
    } else if constexpr (IsOptional<T>::value) {
      typename T::value_type inner = value ? *value : typename T::value_type{};
      describe_element(inner);
    } else if constexpr (IsVector<T>::value) {
      typename T::value_type inner{};
      const std::string outer = path_;
      path_ += "[]";
      describe_element(inner);
      path_ = outer;
    }
  }

  template <class T>
  void describe_element(T& inner) {
    if constexpr (kIsStruct<T>) {
      visit_fields(inner, *this);
    } else {
      describe_inside(inner);
    }
  }

  template <class... T>
  void describe_kinds(const std::variant<T...>& current) {
    const std::string outer = condition_;
    const auto one = [&]<class Kind>(Kind options) {
      if (const Kind* chosen = std::get_if<Kind>(&current)) options = *chosen;
      condition_ = path_;
      condition_.append(".kind = ").append(Kind::kKind);
      visit_fields(options, *this);
    };
    (one(T{}), ...);
    condition_ = outer;
  }

  void add_row(std::string type, JsonBuilder& default_value, const Constraint& constraint,
               std::string_view help);

  std::string path_;
  std::string condition_;
  std::vector<OptionInfo> rows_;
};

}  // namespace detail
}  // namespace contraflow
