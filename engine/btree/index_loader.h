// Reads the inner nodes of a tree into memory, and claims every page that they name.
#pragma once

#include "engine/btree/inner_page.h"
#include "engine/btree/nodes.h"
#include "engine/btree/page_file.h"
#include "engine/engine.h"

namespace shale::engine::btree {

// Waits for the disk. A node that does not say how many keys are below it is from an earlier build: its
// leaves are read and counted, and it is taken to be changed. Errors: io; corruption, as an inner node that
// cannot be read leaves its leaves unknown.
Result<InnerNode::Ref> load_index(PageFile& file, const PageAddress& root, const KeyPolicy& policy);

constexpr std::uint8_t kLevelMax = 15;  // of a node

// Why a tree cannot be cut or joined that has such nodes.
Error counts_missing();

// Reads an inner node's page. Errors: io, corruption.
Result<InnerPage> read_inner_page(const PageFile& file, const PageAddress& address);

}  // namespace shale::engine::btree
