# frozen_string_literal: true

require_relative 'document'

module WaysideRuntime
  # An exception as a caller of a Lambda function knows it: {errorMessage, errorType, stackTrace}.
  class Failure
    OWN_FOLDER = "#{__dir__}/"
    FRAMES_MAX = 100

    # `phase`, where it happened, is the first part of the type: "Init<LoadError>", "Function<KeyError>".
    def initialize(error, phase)
      @error_object = {
        errorMessage: message_of(error),
        errorType: "#{phase}<#{error.class}>",
        stackTrace: stack_trace_of(error)
      }
    end

    # The JSON text for the caller.
    def to_json(*)
      text = JSON.generate(@error_object)
      text.bytesize > Document::RESPONSE_MAX ? Document::TOO_LARGE : text
    end

    # The JSON text for the log, on several lines.
    def to_s
      JSON.pretty_generate(@error_object)
    end

    private

    # User code decides what `message` does; it may raise, return something else, or hold bytes that are no text.
    def message_of(error)
      clean(error.message)
    rescue StandardError
      error.class.to_s
    end

    # Down to the first frame of the runtime: users debug their code, not ours.
    def stack_trace_of(error)
      lines = error.backtrace || []
      lines.take_while { |line| !line.start_with?(OWN_FOLDER) }.first(FRAMES_MAX).map { |line| clean(line) }
    end

    def clean(text)
      String(text).encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end
  end
end
