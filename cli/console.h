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

  /// The result of the command: the JSON with --json, else the text. Call once. IoError where it
  /// cannot be written: a full disk, a pipe that nobody reads, a closed stream.
  void result(const nlohmann::ordered_json& json, std::string_view text) const;
  /// A line for the user that is no result.
  void note(std::string_view text) const;
  void error(std::string_view text) const;
  /// A line on the terminal that the next one, or anything else that is said, takes the place of.
  void passing(std::string_view text) const;
  /// Erases that line, if there is one.
  void erase_passing() const;

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
  mutable bool passing_ = false;  ///< The terminal shows a line of passing().
};

/// "1,000 rows", with the size that weights leave of them if it is another. `unit` is what a row is called.
std::string rows_text(int64_t rows, double effective_rows, const std::string& unit = "row");
/// "1,234", "2.35": a number of things a second.
std::string rate_text(double per_second);

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
  /// `total` 0: unknown, then done() is told a fraction. `unit` is what is counted, if not rows;
  /// what is few and large (pictures) has no rate.
  RowProgress(const Console& console, std::string what, int64_t total, std::string unit = "rows");
  ~RowProgress() { console_.erase_passing(); }  // the result says what a finished line would
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
  std::string unit_;
  int64_t rows_ = 0;
  double start_;
  double printed_;
};

}  // namespace contraflow::cli
