// Ways through the inner nodes.
#include <cassert>

#include "engine/btree/tree.h"

namespace shale::engine::btree {

Leaf& Tree::leaf_of(BytesView key) const {
  InnerNode* node = root_.get();
  while (node->level() > 1) node = &node->inner(node->child_index(key));
  return node->leaf(node->child_index(key));
}

Tree::Path Tree::path_to(BytesView key) const {
  Path path;
  for (InnerNode* node = root_.get();;) {
    assert(path.depth < Path::kDepthMax);
    const std::size_t index = node->child_index(key);
    path.steps[path.depth++] = {node, index};
    if (node->level() == 1) return path;
    node = &node->inner(index);
  }
}

Tree::Path Tree::path_to_last() const {
  Path path;
  path.steps[path.depth++] = {root_.get(), root_->count() - 1};
  path.descend(0, true);
  return path;
}

const Bytes* Tree::Path::begin() const {
  for (std::size_t i = depth; i-- > 0;) {
    if (steps[i].index > 0) return &steps[i].node->separator(steps[i].index);
  }
  return nullptr;
}

const Bytes* Tree::Path::end() const {
  for (std::size_t i = depth; i-- > 0;) {
    if (steps[i].index + 1 < steps[i].node->count()) return &steps[i].node->separator(steps[i].index + 1);
  }
  return nullptr;
}

// Fills in the steps below `from`, along the first children or the last.
void Tree::Path::descend(std::size_t from, bool to_last) {
  depth = from + 1;
  for (const InnerNode* node = steps[from].node; node->level() > 1;) {
    InnerNode& below = node->inner(steps[depth - 1].index);
    steps[depth++] = {&below, to_last ? below.count() - 1 : 0};
    node = &below;
  }
}

bool Tree::Path::to_next() {
  for (std::size_t i = depth; i-- > 0;) {
    if (steps[i].index + 1 == steps[i].node->count()) continue;
    ++steps[i].index;
    descend(i, false);
    return true;
  }
  return false;
}

bool Tree::Path::to_previous() {
  for (std::size_t i = depth; i-- > 0;) {
    if (steps[i].index == 0) continue;
    --steps[i].index;
    descend(i, true);
    return true;
  }
  return false;
}

}  // namespace shale::engine::btree
