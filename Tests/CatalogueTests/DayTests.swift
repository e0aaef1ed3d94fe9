import Base
import Testing

@testable import Catalogue

@Suite struct DayTests {
  @Test("every day of six centuries comes back from its text, one after another")
  func roundTrip() throws {
    let first = try #require(Day("1600-02-28")).number
    let last = try #require(Day("2200-03-01")).number
    for number in first...last {
      let day = Day(number: number)
      let parts = day.parts
      #expect(Day(year: parts.year, month: parts.month, day: parts.day) == day)
      if number % 97 == 0 { #expect(Day(day.description) == day) }
    }
  }

  @Test("known days have their numbers")
  func known() {
    #expect(Day("1970-01-01")?.number == 0)
    #expect(Day("1969-12-31")?.number == -1)
    #expect(Day("2000-02-29")?.number == 11_016)
    #expect(Day("2026-01-01")?.startSeconds == 1_767_225_600)
    #expect(Day(of: Timestamp(milliseconds: -1)).number == -1)
    #expect(Day(of: Timestamp(milliseconds: 86_400_000)).number == 1)
  }

  @Test(
    "what the calendar doesn't have is no day",
    arguments: [
      "", "2024", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "2024-01-00",
      "24-01-01", "2024-1-1", "2024/01/01", "2024-01-01 ", "+024-01-01", "٢٠٢٤-01-01", "0999-01-01",
    ])
  func invalid(text: String) { #expect(Day(text) == nil) }

  @Test("a moment of a licence is a day or a second of it, and comes back")
  func moments() {
    #expect(seconds("1970-01-02") == 86_400)
    #expect(seconds("1970-01-02T03:04:05Z") == 97_445)
    for text in ["2024-02-29", "1969-12-31T23:59:59Z", "2030-06-01T00:00:01Z"] {
      #expect(seconds(text).map(dateText) == text)
    }
    for text in [
      "2024-02-29T24:00:00Z", "2024-02-29T00:60:00Z", "2024-02-29T00:00:00", "2024-02-29T00:00:00+",
    ] {
      #expect(seconds(text) == nil)
    }
  }
}
