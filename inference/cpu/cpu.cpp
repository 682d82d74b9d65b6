#include "inference/cpu/cpu.h"

#include "inference/cpu/matmul_kernels.h"

namespace trialwright {

Cpu::Cpu(int threads, Isa isa)
    : isa_(isa), pool_(threads), vectors_(&vector_kernels(isa)), matmuls_(&matmul_kernels(isa)) {}

}  // namespace trialwright
