# frozen_string_literal: true

# Before rubygems: a module loaded through it counts as an activated gem, and a bundle could not bring another version.
require 'json'
require 'logger'
require 'stringio'
require 'rubygems'

require_relative 'document'
require_relative 'environment'
require_relative 'failure'
require_relative 'frames'
require_relative 'function'
require_relative 'log'

module WaysideRuntime
  # The life of one container.
  #
  #    BOOTED ──► INIT ──► READY ──► INVOKE ─► [STREAM …] RESULT or ERROR ─► INVOKE …
  #                 └────► ERROR 0, exit                        └─► ERROR with LAST, exit
  #
  # As on Lambda, a StandardError of the handler is an answer like any other, but NameError (with NoMethodError) and
  # whatever is no StandardError ends the process after it was answered.
  class Runtime
    # Lambda's own exit statuses.
    EXIT_CRITICAL = 255
    EXIT_INIT_FAILED = 252

    # `fd`: the descriptor of the connected frame socket.
    def initialize(fd)
      @frames = Frames.new(fd)
    end

    # Serve until the daemon closes the connection; does not return.
    def run
      Log.configure
      GC.start # what booting left behind is collected while nobody waits
      @frames.send(Frames::BOOTED, 0)
      _sequence, payload = expect(Frames::INIT)
      function = initialise(JSON.parse(payload.force_encoding(Encoding::UTF_8)))
      @frames.send(Frames::READY, 0)
      loop { invoke(function, *expect(Frames::INVOKE)) }
    end

    private

    def initialise(settings)
      variables = settings.fetch('environment')
      Environment.enter(variables)
      Function.new(settings.fetch('handler'), variables)
    rescue Exception => e # a LoadError too, a SyntaxError, `exit` in a file
      failure = Failure.new(e, 'Init')
      Log.report("Init error when loading handler #{settings['handler']}", failure)
      fail_initialisation(failure)
    end

    def invoke(function, sequence, payload)
      kind, answer, last = call(function, Invocation.new(payload), sequence)
      Log.flush # before the answer: whoever reads the answer may read the log next
      @frames.send(kind, sequence, answer, last ? Frames::LAST : 0)
      Process.exit!(EXIT_CRITICAL) if last
    end

    # [type of the answer, its bytes, whether the process has to end after it]
    def call(function, invocation, sequence)
      result = function.call(invocation)
      [Frames::RESULT, result.is_a?(Enumerator) ? stream(result, sequence) : Document.encode(result), false]
    rescue Document::TooLarge
      [Frames::ERROR, Document::TOO_LARGE, false]
    rescue Document::Unreadable => e
      refuse('Error in the event or the client context', Failure.new(e.cause, 'Runtime'), false)
    rescue NameError => e
      refuse('Critical exception from handler', Failure.new(e, 'Function'), true)
    rescue StandardError => e
      refuse('Error raised from handler method', Failure.new(e, 'Function'), false)
    rescue Exception => e # SystemExit, NoMemoryError, SystemStackError …
      refuse('Critical exception from handler', Failure.new(e, 'Function'), true)
    end

    # Send what an enumerator yields while it is made; nothing is left for the answer. A failure before the first part is one of
    # the call, as if nothing had been streamed.
    def stream(parts, sequence)
      has_begun = false
      parts.each do |part|
        @frames.send(Frames::STREAM, sequence, '', Frames::HEAD) unless has_begun
        has_begun = true
        bytes = part.to_s.b
        (0...bytes.bytesize).step(Frames::STREAM_MAX) do |start|
          @frames.send(Frames::STREAM, sequence, bytes.byteslice(start, Frames::STREAM_MAX))
        end
      end
      @frames.send(Frames::STREAM, sequence, '', Frames::HEAD) unless has_begun
      ''
    end

    def refuse(title, failure, last)
      Log.report(title, failure)
      [Frames::ERROR, failure.to_json, last]
    end

    # Say why, then end at once: threads that half-loaded code has started must not keep the process.
    def fail_initialisation(failure)
      Log.flush
      @frames.send(Frames::ERROR, 0, failure.to_json)
      Process.exit!(EXIT_INIT_FAILED)
    end

    # The next frame's [sequence, payload]; it has to be of type `type`. Ends the process with the connection.
    def expect(type)
      frame = @frames.receive
      Process.exit!(0) if frame.nil? # the container is being taken away; nobody is left to wait for
      found, sequence, payload = frame
      raise ProtocolError, "frame type #{found}, expected #{type}" if found != type

      [sequence, payload]
    end
  end
end
