# Writes a C++ file that holds the lines of a text file:
#   cmake -DINPUT=digits.csv -DOUTPUT=digits_rows.cpp -DNAME=digits_rows -P embed_rows.cmake
# One literal per line: a single literal for the whole file would exceed what compilers must accept.
file(READ "${INPUT}" text)
string(REGEX REPLACE "([^\n]+)\n" "    \"\\1\",\n" rows "${text}")
file(WRITE "${OUTPUT}" "// Made from ${NAME} by embed_rows.cmake.\n\
#include <array>\n#include <span>\n#include <string_view>\n\n\
namespace contraflow::data::detail {\nnamespace {\nconstexpr std::string_view kRows[] = {\n${rows}};\n}\n\
std::span<const std::string_view> ${NAME}();\n\
std::span<const std::string_view> ${NAME}() { return kRows; }\n\
}  // namespace contraflow::data::detail\n")
