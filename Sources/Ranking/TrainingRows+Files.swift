package import Base

extension TrainingRows {
  /// Writes the rows for other tools: `PART-features.npy`, `-labels.npy`, `-weights.npy` and `-groups.npy`.
  package func write(to directory: String, part: String, disk: any Disk) throws {
    let prefix = "\(directory)/\(part)"
    try disk.writeDurably(NPYFile.bytes(values, columns: featureCount), to: "\(prefix)-features.npy")
    try disk.writeDurably(NPYFile.bytes(labels), to: "\(prefix)-labels.npy")
    try disk.writeDurably(NPYFile.bytes(weights), to: "\(prefix)-weights.npy")
    try disk.writeDurably(NPYFile.bytes(groups), to: "\(prefix)-groups.npy")
  }
}
