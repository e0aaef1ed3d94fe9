package import Base

extension FleetConfiguration {
  /// Reads `fleet.yaml` and the region files that it names, which lie beside it.
  package init(path: String, disk: any Disk) throws(ConfigurationFault) {
    let root = try YAMLPlace(file: path, disk: disk, byteCountMax: Self.fileByteCountMax)
    let fields = try root.fields(known: ["version", "trusted_keys", "regions"])
    let version = try fields.required("version")
    guard try version.text() == "1" else {
      throw version.fault("is a version that this build does not know; write `version: 1`")
    }
    var keys: [PublicKey] = []
    for place in try fields.optional("trusted_keys")?.items() ?? [] {
      guard let key = PublicKey(hex: try place.text()) else {
        throw place.fault("is not a public key; write its 64 hexadecimal digits in quotes")
      }
      guard !keys.contains(key) else { throw place.fault("is the same key again; remove this line") }
      keys.append(key)
    }

    var regions: [(region: Region, place: YAMLPlace, fallbacks: [YAMLPlace])] = []
    var addresses: Set<String> = []
    let listed = try fields.required("regions")
    for item in try listed.items() {
      let read = try Self.region(item, beside: path, disk: disk)
      guard !regions.contains(where: { $0.region.name == read.region.name }) else {
        throw read.place.fault("names region `\(read.region.name)` again; each region is listed once")
      }
      for place in read.replicas {
        guard addresses.insert(try place.text()).inserted else {
          throw place.fault("is a replica already; each replica has its own address")
        }
      }
      regions.append((read.region, read.place, read.fallbacks))
    }
    guard !regions.isEmpty else { throw listed.fault("lists no region; a fleet has at least one") }
    guard regions.count <= Limits.regionCountMax else {
      throw listed.fault("lists \(regions.count) regions; \(Limits.regionCountMax) are the most")
    }
    guard addresses.count <= Limits.replicaCountMax else {
      throw listed.fault("lists \(addresses.count) replicas; \(Limits.replicaCountMax) are the most")
    }
    let names = regions.map(\.region.name)
    for entry in regions {
      try Self.check(fallbacks: entry.fallbacks, of: entry.region.name, known: names)
    }
    self.init(regions: regions.map(\.region), trustedKeys: keys)
  }

  private struct RegionReading {
    var region: Region
    var place: YAMLPlace
    var replicas: [YAMLPlace]
    var fallbacks: [YAMLPlace]
  }

  /// An entry is the region itself, or a name: then `NAME.yaml` beside the fleet file holds the region.
  private static func region(
    _ item: YAMLPlace, beside path: String, disk: any Disk
  ) throws(ConfigurationFault) -> RegionReading {
    guard item.isText else { return try region(item, name: nil) }
    let name = try item.text()
    guard isRegionName(name) else { throw item.fault("is no region name; \(nameRule)") }
    let file = "\(directory(of: path))/\(name).yaml"
    let root: YAMLPlace
    do throws(ConfigurationFault) {
      root = try YAMLPlace(file: file, disk: disk, byteCountMax: fileByteCountMax)
    } catch  where error.line == 0 {
      throw item.fault("names region `\(name)`, but \(error)")
    }
    return try region(root, name: name)
  }

  private static func region(_ place: YAMLPlace, name expected: String?) throws(ConfigurationFault)
    -> RegionReading
  {
    let fields = try place.fields(known: ["name", "replicas", "fallbacks"])
    let namePlace = try fields.required("name")
    let name = try namePlace.text()
    guard isRegionName(name) else { throw namePlace.fault("is no region name; \(nameRule)") }
    if let expected, name != expected {
      throw namePlace.fault("is `\(name)` in the file of region `\(expected)`; make the two agree")
    }
    let replicasPlace = try fields.required("replicas")
    let replicas = try replicasPlace.items()
    guard !replicas.isEmpty else { throw replicasPlace.fault("is empty; a region has at least one replica") }
    var addresses: [String] = []
    for replica in replicas {
      let address = try replica.text()
      guard isAddress(address) else {
        throw replica.fault("is no address; write host:port, such as \"127.0.0.1:7101\"")
      }
      addresses.append(address)
    }
    let fallbacks = try fields.optional("fallbacks")?.items() ?? []
    var names: [String] = []
    for fallback in fallbacks { names.append(try fallback.text()) }
    return RegionReading(
      region: Region(name: name, replicas: addresses, fallbacks: names), place: namePlace, replicas: replicas,
      fallbacks: fallbacks)
  }

  private static func check(fallbacks: [YAMLPlace], of region: String, known: [String])
    throws(ConfigurationFault)
  {
    var seen: Set<String> = []
    for place in fallbacks {
      let name = try place.text()
      guard name != region else { throw place.fault("is the region itself; name another one") }
      guard known.contains(name) else {
        throw place.fault("`\(name)` is no region here; known are \(known.joined(separator: ", "))")
      }
      guard seen.insert(name).inserted else { throw place.fault("`\(name)` is listed twice; remove one") }
    }
  }

  private static let nameRule = "use 1 to 64 of a-z, 0-9 and -, a letter first"
}
