#include "inference/kv/page_pool.h"

#include <mutex>
#include <utility>

#include "inference/cpu/arena.h"

namespace trialwright {

KvPageLayout KvPageLayout::make(int layers, int kv_heads, int head_dim) {
  KvPageLayout layout;
  for (int i = 0; i < layers; ++i) {
    KvLayer layer{.kv_heads = kv_heads, .head_dim = head_dim};
    layer.keys = layout.halves;
    layer.values = layer.keys + layer.halves() / 2;
    layout.halves += layer.halves();
    layout.layers.push_back(layer);
  }
  return layout;
}

struct KvPagePool::Store {
  explicit Store(KvPageLayout layout_given) : layout(std::move(layout_given)) {}

  KvPageLayout layout;
  std::mutex mutex;  ///< Of all below.
  Arena arena;
  std::vector<std::uint16_t*> free;
  int in_use = 0;

  void give_back(std::uint16_t* page) {
    const std::scoped_lock lock(mutex);
    free.push_back(page);
    --in_use;
  }
};

KvPagePool::KvPagePool(KvPageLayout layout) : store_(std::make_shared<Store>(std::move(layout))) {}

const KvPageLayout& KvPagePool::layout() const { return store_->layout; }

Result<KvPage> KvPagePool::take() {
  std::uint16_t* page = nullptr;
  {
    const std::scoped_lock lock(store_->mutex);
    if (store_->free.empty()) {
      auto memory = store_->arena.allocate(store_->layout.bytes());
      if (!memory) {
        return memory.error().during("making room for keys and values");
      }
      // Giving back must not need memory.
      store_->free.reserve(static_cast<std::size_t>(store_->in_use) + 1);
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): memory made into halves
      page = reinterpret_cast<std::uint16_t*>(*memory);
    } else {
      page = store_->free.back();
      store_->free.pop_back();
    }
    ++store_->in_use;
  }
  return KvPage(page, [store = store_](std::uint16_t* mine) { store->give_back(mine); });
}

int KvPagePool::in_use() const {
  const std::scoped_lock lock(store_->mutex);
  return store_->in_use;
}

}  // namespace trialwright
