// Reads the inner nodes of a tree into memory, and claims every page that they name.
#pragma once

#include "engine/btree/nodes.h"
#include "engine/btree/page_file.h"

namespace shale::engine::btree {

// Waits for the disk. Errors: io; corruption, as an inner node that cannot be read leaves its leaves unknown.
Result<InnerNode::Ref> load_index(PageFile& file, const PageAddress& root);

}  // namespace shale::engine::btree
