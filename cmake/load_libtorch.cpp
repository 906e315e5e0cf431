// Run by CMake: loads the library named on the command line and prints what is missing.
#include <dlfcn.h>

#include <cstdio>
#include <string>

#if defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
#error "LibTorch uses the C++11 string ABI: compile without -D_GLIBCXX_USE_CXX11_ABI=0"
#endif

int main(int count, char** arguments) {
  if (count < 2) return 2;
  if (dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL) != nullptr) return 0;
  std::puts(dlerror());
  return 1;
}
