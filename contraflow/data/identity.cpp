#include "contraflow/data/identity.h"

#include <array>
#include <cstdio>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::data {

std::string identity_text(const DataIdentity& identity) {
  return format_count(identity.rows) + " rows with checksum " + identity.checksum;
}

std::string checksum_text(const std::vector<uint64_t>& hashes) {
  uint64_t sum = 0;
  for (const uint64_t hash : hashes) sum += hash;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(sum));
  return text.data();
}

void check_identity(const DataIdentity& got, const KnownData& known, const std::string& source,
                    std::vector<std::string>& notes) {
  const DataIdentity& expected = known.identity;
  if (expected.checksum == got.checksum && expected.rows == got.rows) return;
  if (known.allow_changed) {
    notes.push_back("the data changed since the training, from " + identity_text(expected) +
                    " to " + identity_text(got) +
                    ": validation and test are the rows of the held-out side");
    return;
  }
  fail<DomainError>("data", source, "the data of the training: " + identity_text(expected),
                    identity_text(got),
                    "Restore the file or train anew; --allow-changed-data goes on with the rows "
                    "that fall on the held-out side, none of which was trained on.");
}

}  // namespace contraflow::data
