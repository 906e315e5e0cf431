#pragma once

#include <cstdint>
#include <string_view>

namespace contraflow {

/// CRC-32 of bytes, as zlib, PNG and Python's zlib.crc32() have it: finds every change of up to 32
/// neighbouring bits, and any other with probability 1 - 2^-32. Not for files that someone may have
/// changed on purpose. `crc` is that of the bytes before: crc32(b, crc32(a)) is the CRC of a + b.
///
/// Cost       one pass, eight bytes a step.
/// Threads    any number.
/// Source     ISO/IEC/IEEE 8802-3, clause 3.2.9; eight bytes a step: Kounavis and Berry 2008.
uint32_t crc32(std::string_view bytes, uint32_t crc = 0);

}  // namespace contraflow
