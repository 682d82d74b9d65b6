#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/terminal_text.h"

namespace trialwright {

/// How text goes to one of the two standard streams. Results go to standard output; progress, notes
/// and errors to standard error.
class Console {
 public:
  /// choice  "auto", "always" or "never". Automatic colours need a terminal, and neither NO_COLOR
  ///         nor TERM=dumb; CLICOLOR_FORCE turns them on elsewhere.
  Console(int fd, std::string_view choice);

  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  [[nodiscard]] bool has_colours() const { return has_colours_; }
  /// Of the terminal, asked anew each time; 80 where there is none.
  [[nodiscard]] int columns() const;
  /// How wide a table may become: as `columns`, but whoever reads a file or a pipe gets whole
  /// cells.
  [[nodiscard]] int table_columns() const;

  [[nodiscard]] std::string paint(std::string_view text, Colour colour) const;
  /// Writes the text whole, also to a pipe. Nobody is told of a reader that has gone away; false
  /// lets a caller stop working for it.
  bool write(std::string_view text) const;
  /// Why something could not be written to standard output, as an errno value, or 0: by whichever
  /// console, since the program began. A program must not say that it printed what nobody gets.
  static int lost_output();
  bool line(std::string_view text) const { return write(std::string(text) + "\n"); }

 private:
  int fd_;
  bool is_terminal_;
  bool has_colours_;
};

/// Cut at `columns`, with an ellipsis if something is cut. Text without escape sequences only.
std::string cut_to(std::string_view text, int columns);

/// Cut at the start, for names whose ends tell them apart.
std::string cut_start_to(std::string_view text, int columns);

/// Rows in columns that line up. The first row is the heading. Cells may hold text from outside: it
/// is shown as visible_line shows it.
///
/// right_aligned  the numbers of the columns that hold numbers.
/// columns_max    longer lines lose the end of their widest cell,
/// cut_first      of these columns before the others.
std::string table_text(std::vector<std::vector<std::string>> rows,
                       const std::vector<std::size_t>& right_aligned, int columns_max,
                       const std::vector<std::size_t>& cut_first = {});

}  // namespace trialwright
