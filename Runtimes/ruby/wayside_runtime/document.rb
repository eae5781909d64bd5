# frozen_string_literal: true

require 'json'
require 'stringio'

module WaysideRuntime
  # JSON in, JSON out, within the limits of a Lambda payload.
  module Document
    RESPONSE_MAX = 6_291_556 # bytes; 6 MiB and 100 bytes is Lambda's own limit

    TOO_LARGE = JSON.generate(
      errorMessage: "Response payload size exceeded maximum allowed payload size (#{RESPONSE_MAX} bytes).",
      errorType: 'Function.ResponseSizeTooLarge'
    ).freeze

    # The encoded answer is over RESPONSE_MAX.
    class TooLarge < StandardError; end

    # What came with the call is no JSON; `cause` has the parser's error.
    class Unreadable < StandardError; end

    # The value of JSON text.
    def self.decode(text)
      JSON.parse(text)
    rescue JSON::ParserError
      raise Unreadable
    end

    # The bytes of a handler's result. What an IO or a StringIO holds passes unchanged, as on Lambda: it need not be JSON.
    def self.encode(value)
      bytes = value.is_a?(StringIO) || value.is_a?(IO) ? value.read.to_s : value.to_json
      raise TooLarge if bytes.bytesize > RESPONSE_MAX

      bytes
    end
  end
end
