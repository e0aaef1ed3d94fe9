import Base
import Glibc
import Testing

@testable import Ranking

@Suite("LightGBM text models")
struct LightGBMTextTests {
  /// Two trees of two features: thresholds between floats, a set of categories, and each kind of missing value.
  private static let model = """
    tree
    version=v4
    num_class=1
    num_tree_per_iteration=1
    label_index=0
    max_feature_idx=1
    objective=binary sigmoid:0.5
    feature_names=price genre
    feature_infos=[0:9] 0:1:2:3
    tree_sizes=300 200

    Tree=0
    num_leaves=4
    num_cat=1
    split_feature=0 1 0
    split_gain=3 2 1
    threshold=0.1 0 1.0000000180025095e-35
    decision_type=2 1 8
    left_child=1 -1 -2
    right_child=2 -3 -4
    leaf_value=0.25 -0.5 1.5 3
    leaf_count=1 1 1 1
    cat_boundaries=0 1
    cat_threshold=10
    is_linear=0
    shrinkage=0.1


    Tree=1
    num_leaves=1
    num_cat=0
    leaf_value=-1
    is_linear=0
    shrinkage=1


    end of trees

    feature_importances:
    price=3

    parameters:
    [boosting: gbdt]
    end of parameters

    pandas_categorical:null

    """

  private func read(_ text: String) throws -> Forest {
    try Array(text.utf8).withUnsafeBytes { (bytes) throws in try LightGBMText.read(bytes, name: "m.txt") }
  }

  @Test("a refusal quotes the file's words, and not the file")
  func excerpts() {
    for word in [String(repeating: "9", count: 5000), "v" + String(repeating: "\u{301}", count: 5000)] {
      do {
        _ = try read(Self.model.replacing("version=v4", with: "version=\(word)"))
        Issue.record("it was taken")
      } catch let refusal as Refusal {
        #expect(refusal.code == .newerReader && refusal.message.utf8.count < 300)
      } catch { Issue.record("\(error)") }
    }
  }

  @Test("a model is read with its tests, values and objective")
  func reads() throws {
    let forest = try read(Self.model)
    #expect(forest.features == ["price", "genre"] && forest.objective == "binary sigmoid:0.5")
    #expect(forest.link == ScoreLink(.sigmoid, factor: 0.5) && forest.divisor == 1)
    #expect(forest.trees.map(\.leaves) == [[0.25, -0.5, 1.5, 3], [-1]])
    // 0.1 lies below the float next to it, so the one before decides the same.
    let first = forest.trees[0].nodes[0]
    #expect(first.test == .number(threshold: Float(0.1).nextDown, missing: .none, missingGoesLeft: true))
    #expect(
      forest.trees[0].nodes[2].test == .number(threshold: 1e-35, missing: .notANumber, missingGoesLeft: false)
    )
    guard case .category(let right, true, true) = forest.trees[0].nodes[1].test else {
      Issue.record("node 1 is a test of categories")
      return
    }
    // The set 10 has the categories 1 and 3, and they go left.
    #expect((0..<5).map(right.contains) == [true, false, true, false, true])
  }

  @Test("rows go as LightGBM sends them")
  func scores() throws {
    let path = try temporaryFile()
    defer { unlink(path) }
    try TreeRanker.write(try read(Self.model), to: path)
    let ranker = try TreeRanker(opening: MappedBytes(path: path), name: "ranker")
    let rows: [Float] = [0.05, 1, 0.05, 2, Float(0.1), 0, 0.05, .nan, .nan, 3, -0, 40]
    let sums = rows.withUnsafeBufferPointer {
      ranker.outputs($0, count: 6, raw: true, scratch: RankerScratch())
    }
    #expect(sums == [-0.75, 0.5, 2, 0.5, -0.75, 0.5])
  }

  @Test("every objective's transform is known, and others are refused")
  func objectives() throws {
    let forms: [(String, ScoreLink.Form)] = [
      ("regression", .identity), ("regression sqrt", .signedSquare), ("poisson", .exponential),
      ("tweedie tweedie_variance_power:1.5", .exponential), ("lambdarank", .identity),
      ("cross_entropy", .sigmoid), ("cross_entropy_lambda", .softplus), ("multiclass num_class:1", .softmax),
      ("multiclassova num_class:1 sigmoid:1", .sigmoid), ("rank_xendcg", .identity), ("custom", .identity),
    ]
    for (words, form) in forms {
      let text = Self.model.replacing("objective=binary sigmoid:0.5", with: "objective=\(words)")
      #expect(try read(text).link.form == form)
    }
    for words in ["new_kind", "binary sigmoid:-1", "binary sigmoid:x"] {
      #expect(throws: Refusal.self) {
        try read(Self.model.replacing("objective=binary sigmoid:0.5", with: "objective=\(words)"))
      }
    }
  }

  @Test(
    "what can't be is refused with its line",
    arguments: [
      ("tree\n", "three\n", 1, "begin"), ("version=v4", "version=v9", 2, "version v9"),
      ("num_leaves=4", "num_leaves=99999999", 13, "leaves"),
      ("split_feature=0 1 0", "split_feature=0 1 2", 15, "feature 2"),
      ("threshold=0.1 0 ", "threshold=0.1 1 ", 17, "set 1.0"),
      ("threshold=0.1 0 ", "threshold=nan 0 ", 17, "nan"),
      ("threshold=0.1 0 ", "threshold=0.1 0.1 0 ", 17, "more than 3"),
      ("left_child=1 -1 -2", "left_child=0 -1 -2", 19, "below two"),
      ("left_child=1 -1 -2", "left_child=1 -1 -1", 19, "below two"),
      ("left_child=1 -1 -2", "left_child=7 -1 -2", 19, "child 7"),
      ("left_child=1 -1 -2", "left_child=1 -1", 19, "2 values"),
      ("leaf_value=0.25", "leaf_value=inf", 21, "inf"),
      ("decision_type=2 1 8", "decision_type=2 1 99", 18, "99"),
      ("cat_boundaries=0 1", "cat_boundaries=0 9", 24, "1 values"),
      ("cat_threshold=10", "cat_threshold=-1", 24, "32 bits"),
      ("is_linear=0\nshrinkage=0.1", "is_linear=1", 25, "linear"),
      ("Tree=1", "Tree=2", 29, "tree 1"), ("end of trees", "end", 37, "key=value"),
      ("num_cat=1\n", "num_cat=1\nnum_cat=1\n", 15, "again"), ("version=v4\n", "", 11, "version="),
      ("feature_names=price genre", "feature_names=price", 8, "1 values"),
    ])
  func refusals(old: String, new: String, line: Int, says: String) {
    do {
      _ = try read(Self.model.replacing(old, with: new, maxReplacements: 1))
      Issue.record("\(new) was taken")
    } catch let refusal as Refusal {
      #expect(refusal.place == "m.txt line \(line)" && refusal.message.contains(says), "\(refusal)")
    } catch { Issue.record("\(error)") }
  }

  @Test("a model that ends early is refused wherever it ends")
  func truncated() throws {
    let whole = Array(Self.model.utf8)
    let text = "end of trees"
    guard let end = Self.model.firstRange(of: text) else { return }
    let needed = Self.model.utf8.distance(from: Self.model.startIndex, to: end.upperBound)
    for count in 0..<needed {
      #expect(throws: Refusal.self) {
        try Array(whole.prefix(count)).withUnsafeBytes { (bytes) throws in
          try LightGBMText.read(bytes, name: "m.txt")
        }
      }
    }
    _ = try read(String(Self.model.prefix(needed)))
  }
}
