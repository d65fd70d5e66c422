local text = require "traceroute.text"

describe("text", function()
  it("leaves printable text alone", function()
    assert.equal("ae1.cr2 {x} ~", text.clean("ae1.cr2 {x} ~"))
    assert.equal("Zürich 東京", text.clean("Zürich 東京"))
  end)

  it("lets nothing through that steers a terminal", function()
    assert.equal("a?[31mb", text.clean("a\27[31mb"))
    assert.equal("a?b?c?", text.clean("a\nb\rc\0"))
    assert.equal("a?31m", text.clean("a\194\15531m")) -- U+009B, CSI in one character
    assert.equal("a?b", text.clean("a\226\128\174b")) -- U+202E, right-to-left override
    assert.equal("a?b", text.clean("a\255b"))
    assert.equal("??", text.clean("\192\128")) -- overlong NUL
    assert.equal("???", text.clean("\237\160\128")) -- a surrogate
    assert.equal("??", text.clean("\226\130")) -- cut short
  end)

  it("mends what is not UTF-8", function()
    assert.equal("é\239\191\189", text.utf8("é\233"))
    assert.equal("a\nb", text.utf8("a\nb"))
  end)

  it("counts columns", function()
    assert.equal(5, text.width("abcde"))
    assert.equal(6, text.width("Zürich"))
    assert.equal(4, text.width("東京"))
    assert.equal(1, text.width("e\204\129")) -- e and a combining accent
    assert.equal(2, text.width("\240\159\152\128")) -- an emoji
    assert.equal(1, text.width("\244\143\191\189")) -- U+10FFFD, behind all that is wide
    assert.equal(3, text.width("a\255b")) -- a byte that is no character
  end)

  it("cuts and fills by columns, never within a character", function()
    assert.equal("abc", text.cut("abc", 3))
    assert.equal("ab…", text.cut("abcd", 3))
    assert.equal("東…", text.cut("東京都", 4))
    assert.equal("…", text.cut("東京", 2))
    assert.equal("東京 ", text.pad("東京", 5))
    assert.equal("  é", text.pad("é", 3, true))
    assert.equal("abcd", text.pad("abcd", 3))
  end)
end)
