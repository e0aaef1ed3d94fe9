import Base
import Glibc
import Testing

@testable import Ranking

@Suite("XGBoost JSON models")
struct XGBoostJSONTests {
  private static let model = """
    {"learner": {"attributes": {}, "feature_names": ["price", "genre"], "feature_types": ["float", "c"],
    "gradient_booster": {"model": {"gbtree_model_param": {"num_trees": "2"}, "tree_info": [0, 0], "trees": [
    {"base_weights": [1E0], "categories": [1, 3], "categories_nodes": [1], "categories_segments": [0],
    "categories_sizes": [2], "default_left": [1, 0, 0, 0, 0], "id": 0, "left_children": [1, 3, -1, -1, -1],
    "right_children": [2, 4, -1, -1, -1], "split_conditions": [5E-1, 0E0, 2.5E-1, -1E0, 3E0],
    "split_indices": [0, 1, 0, 0, 0], "split_type": [0, 1, 0, 0, 0], "tree_param": {"size_leaf_vector": "1"}},
    {"default_left": [0], "left_children": [-1], "right_children": [-1], "split_conditions": [1.25E-1],
    "split_indices": [0], "split_type": [0]}]}, "name": "gbtree"},
    "learner_model_param": {"base_score": "[7.5E-1]", "num_class": "0", "num_feature": "2", "num_target": "1"},
    "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}}}, "version": [3, 2, 0]}
    """

  private func read(_ text: String) throws -> Forest {
    try Array(text.utf8).withUnsafeBytes { (bytes) throws in try XGBoostJSON.read(bytes, name: "m.json") }
  }

  @Test("rows go as XGBoost sends them")
  func scores() throws {
    let forest = try read(Self.model)
    #expect(forest.features == ["price", "genre"] && forest.trees.map(\.leaves.count) == [3, 1])
    let path = try temporaryFile()
    defer { unlink(path) }
    try TreeRanker.write(forest, to: path)
    let ranker = try TreeRanker(opening: MappedBytes(path: path), name: "ranker")
    // A value that equals the threshold goes right; categories of the set go right; values that aren't there as told.
    let rows: [Float] = [0.5, 0, 0.25, 1, 0.25, 2, .nan, 3, .nan, .nan, 0.25, -1, 0.25, 900]
    let sums = rows.withUnsafeBufferPointer {
      ranker.outputs($0, count: 7, raw: true, scratch: RankerScratch())
    }
    let base = -logf(1 / Float(0.75) - 1)
    let leaves: [Float] = [0.25, 3, -1, 3, 3, -1, -1]
    #expect(sums == leaves.map { Double(base + $0 + 0.125) })
  }

  @Test("a learner without names numbers its features, and dart weighs its trees")
  func variants() throws {
    let plain = Self.model.replacing("[\"price\", \"genre\"]", with: "[]")
    #expect(try read(plain).features == ["f0", "f1"])
    let dart = Self.model.replacing(
      "\"gradient_booster\": {\"model\"", with: "\"gradient_booster\": {\"gbtree\": {\"model\""
    )
    .replacing(
      "\"name\": \"gbtree\"}", with: "\"name\": \"gbtree\"}, \"name\": \"dart\", \"weight_drop\": [2, 4]}")
    #expect(try read(dart).trees.map(\.leaves) == [[-2, 6, 0.5], [0.5]])
  }

  @Test(
    "what can't be is refused with its place",
    arguments: [
      ("\"left_children\": [1, 3,", "\"left_children\": [1, 9,", "tree 0", "child 9"),
      ("\"left_children\": [1, 3,", "\"left_children\": [1, 0,", "tree 0", "twice"),
      ("\"split_indices\": [0, 1,", "\"split_indices\": [0, 7,", "tree 0", "feature 7"),
      ("\"split_indices\": [0, 1,", "\"split_indices\": [0,", "trees.0", "different lengths"),
      ("\"categories_sizes\": [2]", "\"categories_sizes\": [3]", "tree 0", "categories of node 1"),
      ("\"categories_nodes\": [1]", "\"categories_nodes\": [2]", "tree 0", "no categories for node 1"),
      ("[5E-1, 0E0", "[nan, 0E0", "split_conditions.0", "finite"),
      ("\"tree_info\": [0, 0]", "\"tree_info\": [0]", "tree_info", "one of 1 outputs"),
      ("binary:logistic", "own:thing", "objective", "own:thing"),
      ("gbtree\"", "gblinear\"", "m.json", "gblinear"),
      ("\"num_feature\": \"2\"", "\"num_feature\": \"0\"", "num_feature", "not in"),
      ("[7.5E-1]", "1.5", "base_score", "range"),
      ("\"size_leaf_vector\": \"1\"", "\"size_leaf_vector\": \"3\"", "size_leaf_vector", "multi_strategy"),
      ("{\"learner\"", "{L\"learner\"", "byte 0", ".ubj"),
      ("\"version\": [3, 2, 0]}", "\"version\": [3, 2, 0]} x", "byte", "after the last"),
    ])
  func refusals(old: String, new: String, place: String, says: String) {
    do {
      _ = try read(Self.model.replacing(old, with: new, maxReplacements: 1))
      Issue.record("\(new) was taken")
    } catch let refusal as Refusal {
      #expect(refusal.place.contains(place) && refusal.message.contains(says), "\(refusal)")
    } catch { Issue.record("\(error)") }
  }

  @Test("a model that ends early is refused wherever it ends")
  func truncated() {
    let whole = Array(Self.model.utf8)
    for count in 0..<whole.count {
      #expect(throws: Refusal.self) {
        try Array(whole.prefix(count)).withUnsafeBytes { (bytes) throws in
          try XGBoostJSON.read(bytes, name: "m.json")
        }
      }
    }
  }

  @Test("sets of categories that would take far more than their file are refused")
  func inflatedCategories() throws {
    // A chain of nodes that all share the one category, whose number is high: 8 KB for each.
    func model(nodes count: Int) -> String {
      func list(_ values: some Sequence<Int>) -> String {
        "[\(values.map(String.init).joined(separator: ","))]"
      }
      let leaves = repeatElement(-1, count: count + 1)
      let zeros = list(repeatElement(0, count: 2 * count + 1))
      return """
        {"learner":{"learner_model_param":{"num_feature":"1"},"objective":{"name":"reg:squarederror"},"gradient_booster":\
        {"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":\(list((0..<count).map { count + $0 } + leaves)),\
        "right_children":\(list((1..<count).map(\.self) + [2 * count] + leaves)),"split_indices":\(zeros),\
        "split_conditions":\(zeros),"default_left":\(zeros),\
        "split_type":\(list(Array(repeating: 1, count: count) + Array(repeating: 0, count: count + 1))),\
        "categories":[65535],"categories_nodes":\(list(0..<count)),"categories_segments":\(list(repeatElement(0, count: count))),\
        "categories_sizes":\(list(repeatElement(1, count: count)))}]}}}}
        """
    }
    #expect(try read(model(nodes: 50)).trees[0].nodes.count == 50)
    do {
      _ = try read(model(nodes: Forest.setWordCountMax / 1024 + 1))
      Issue.record("it was taken")
    } catch { #expect((error as? Refusal)?.code == .limitExceeded, "\(error)") }
  }

  @Test("deep nesting is refused, not followed")
  func nesting() {
    let deep = "{\"a\": " + String(repeating: "[", count: 100_000)
    #expect(throws: Refusal.self) { try read(deep) }
  }
}
