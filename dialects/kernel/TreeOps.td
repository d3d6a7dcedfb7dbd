//===- TreeOps.td - Decision trees ----------------------------------------===//
//
// Included by KernelOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef ONNXC_KERNEL_TREEOPS
#define ONNXC_KERNEL_TREEOPS

//===----------------------------------------------------------------------===//
// Decision trees
//===----------------------------------------------------------------------===//

def Kernel_TreeAggregation : I32EnumAttr<"TreeAggregation", "What trees' weights become", [
    I32EnumAttrCase<"Sum", 0, "sum">,
    I32EnumAttrCase<"Least", 1, "least">,
    I32EnumAttrCase<"Greatest", 2, "greatest">]> {
  let cppNamespace = "::onnxc::kernel";
  let genSpecializedAttr = 0;
}
def Kernel_TreeAggregationAttr : EnumAttr<Kernel_Dialect, Kernel_TreeAggregation, "tree_aggregation">;

class Kernel_TreesOp<string mnemonic, list<Trait> traits = []>
    : Kernel_Op<mnemonic, traits # [DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
}

def Kernel_TreeWalkOp : Kernel_TreesOp<"tree_walk", [AttrSizedOperandSegments]> {
  let summary = "The leaves' weights of decision trees, by walking from the roots";
  let description = [{
    `init[row, target + i]` aggregates, over the trees, weight i of the leaf that the row of `samples` (f32 or f64)
    comes to. A leaf has `width` weights, the first for its tree's `target`. NaN is a weight that does not count where
    the least or greatest is taken; a target without one is 0.

    A node compares a *column* with its threshold and goes below unless the column is greater. Row c of `columns`
    is (2 f + m, first, last): with first = -1 the column is feature f, and a NaN goes above where m = 1, else below.
    Otherwise it is 1 where feature f equals one of `members` [first, last) or is NaN and m = 1, else 0.

    A row of `nodes` is two words. The first is the threshold's bits, in an order as of unsigned integers; the second
    holds the column in its lower half and in its upper half the distance to the node below, behind which is the one
    above. A leaf is at distance 0 from itself, its column is behind the last, and its first word is its weight's bits,
    or, where there is `weights`, the place of its first weight. A row of `trees` is (root, depth, target); they come in eights of like depth.

    Eight walks are under way at a time, of a row in eight trees or of eight rows in a tree, for the processor to overlap their loads;
    no branch depends on data.
  }];
  let arguments = (ins AnyShaped:$samples, AnyShaped:$columns, AnyShaped:$nodes, AnyShaped:$trees,
                       Optional<AnyShaped>:$weights, Optional<AnyShaped>:$members, AnyShaped:$init,
                       Kernel_TreeAggregationAttr:$aggregation, I64Attr:$width);
  let assemblyFormat = [{
    $aggregation `ins` `(` $samples `,` $columns `,` $nodes `,` $trees `:` type($samples) `,` type($columns) `,` type($nodes) `,` type($trees) `)`
    (`weights` `(` $weights^ `:` type($weights) `)`)? (`members` `(` $members^ `:` type($members) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    static constexpr int64_t walksAtATime = 8;
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}

def Kernel_TreeScanOp : Kernel_TreesOp<"tree_scan", [AttrSizedOperandSegments]> {
  let summary = "The leaves' weights of decision trees, by looking at all nodes";
  let description = [{
    The same result for many rows, one in each lane of a vector. Nodes are visited in no order: each that a row goes
    above at strikes out the leaves below it, and the first leaf that is left is the row's (QuickScorer, Lucchese et al., 2015).

    First each column of a row becomes a rank: how many of its cuts, the thresholds that nodes compare it with, are less. `cuts`
    [cut_begins[c], cut_begins[c + 1]) are those of column c as a search tree: nodes of 8 cuts, ascending, and 9 children, level by level,
    9^levels - 1 cuts in all, filled up with infinity.
    Leaves of a tree are counted from below to above, in groups of 16. A row of `updates` is (rank + 1, kept, column, 0): of
    the group's leaves those whose bit is not in `kept` are struck out where the column's rank is not less than the first.
    `groups` says where a group's updates begin; a row of `trees` is (first group, first weight, target, depth), the last one
    ends the list.

    Of large trees only the top is scanned, which has up to 16 ends in place of leaves. End e of tree t is node `ends[16 t + e]`, from
    where `depth` steps lead to a leaf. A row of `nodes` is (rank, column, distance, leaf): a row of samples goes above where
    the column's rank is greater. A leaf is at distance 0 from itself, its rank is the greatest, 32767.
  }];
  let arguments = (ins AnyShaped:$samples, AnyShaped:$columns, AnyShaped:$cuts, AnyShaped:$cut_begins,
                       AnyShaped:$updates, AnyShaped:$groups, AnyShaped:$trees,
                       AnyShaped:$weights, Optional<AnyShaped>:$ends, Optional<AnyShaped>:$nodes,
                       Optional<AnyShaped>:$members, AnyShaped:$init,
                       Kernel_TreeAggregationAttr:$aggregation, I64Attr:$width);
  let assemblyFormat = [{
    $aggregation `ins` `(` $samples `,` $columns `,` $cuts `,` $cut_begins `,` $updates `,` $groups `,` $trees `:`
    type($samples) `,` type($columns) `,` type($cuts) `,` type($cut_begins) `,` type($updates) `,` type($groups) `,` type($trees) `)`
    `weights` `(` $weights `:` type($weights) `)` (`below` `(` $ends^ `,` $nodes `:` type($ends) `,` type($nodes) `)`)?
    (`members` `(` $members^ `:` type($members) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    static constexpr int64_t leavesInGroup = 16;
    static constexpr int64_t cutsInNode = 8;
    /// Of a column: ranks are below those of leaves.
    static constexpr int64_t mostCuts = 32766;
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}

#endif // ONNXC_KERNEL_TREEOPS
