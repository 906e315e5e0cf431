#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contraflow/core/json.h"
#include "contraflow/core/number_text.h"

namespace contraflow::cli {

/// Where a command's words go: results to `out`, everything else to `err`. With --json the result
/// is one JSON object. Colour only on terminals, and not when NO_COLOR is set.
class Console {
 public:
  struct Terminal {
    bool out = false;
    bool err = false;
    int64_t columns = 80;  ///< Width of the terminal on `err`.
  };
  Console(std::ostream& out, std::ostream& err, const Terminal& terminal);
  /// Of this process: std::cout and std::cerr.
  static Console standard();

  void set_json(bool json) { json_ = json; }
  bool json() const { return json_; }
  const Terminal& terminal() const { return terminal_; }
  std::ostream& err() const { return err_; }

  /// The result of the command: the JSON with --json, else the text. Call once.
  void result(const nlohmann::ordered_json& json, std::string_view text) const;
  /// A line for the user that is no result.
  void note(std::string_view text) const;
  void error(std::string_view text) const;

  /// Text for the result, emphasised on a terminal.
  std::string bold(std::string_view text) const;
  std::string good(std::string_view text) const;
  std::string bad(std::string_view text) const;

 private:
  std::string styled(const char* code, std::string_view text, bool terminal) const;

  std::ostream& out_;
  std::ostream& err_;
  Terminal terminal_;
  bool json_ = false;
};

/// "1,000 rows", with the size that weights leave of them if it is another.
std::string rows_text(int64_t rows, double effective_rows);

/// "name   value" lines with aligned values; continuation lines have an empty name.
class Facts {
 public:
  void add(std::string name, std::string value) {
    rows_.emplace_back(std::move(name), std::move(value));
  }
  std::string str() const;

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

/// Progress of a pass over rows: rewritten in place on a terminal, else a line every ten seconds.
class RowProgress {
 public:
  /// `total` 0: unknown, then done() is told a fraction.
  RowProgress(const Console& console, std::string what, int64_t total);
  ~RowProgress();
  RowProgress(const RowProgress&) = delete;
  RowProgress& operator=(const RowProgress&) = delete;

  /// `rows` are done, which is `fraction` of the work (below 0: rows / total).
  void done(int64_t rows, double fraction = -1.0);
  double seconds() const;
  double rows_per_second() const;

 private:
  std::string line(double fraction) const;

  const Console& console_;
  std::string what_;
  int64_t total_;
  int64_t rows_ = 0;
  double start_;
  double printed_;
  bool on_screen_ = false;
};

}  // namespace contraflow::cli
