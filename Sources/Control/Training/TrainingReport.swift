/// What training came to, on profiles that neither the weights nor the choice of the epoch have seen.
package struct TrainingReport: Sendable {
  package struct Measures: Sendable {
    /// `ranker`, `similarity` or `popularity`.
    package var subject: String
    /// How often a title that was watched stands above one that was not.
    package var auc: Double
    /// Mean over visits: one watched title among ``TrainingExamples/evaluationNegativeCount`` others.
    package var ndcg10: Double
    /// In nats; of the baselines by a logistic regression on the one feature.
    package var logLoss: Double
  }

  package var trainRowCount: Int
  package var validationRowCount: Int
  package var testRowCount: Int
  /// Rows of training lie before it, in milliseconds since 1970, the others after.
  package var cutMilliseconds: Int64
  package var epochCount: Int
  package var bestEpoch: Int
  package var ranker: Measures
  package var similarity: Measures
  package var popularity: Measures

  package var measures: [Measures] { [ranker, similarity, popularity] }
}
