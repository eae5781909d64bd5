# frozen_string_literal: true

require 'logger'

module WaysideRuntime
  # What reaches the function's log: standard output and error, `Logger`, and the report of a failure.
  module Log
    class << self
      # The id of the running call. Threads a handler started earlier log under the id of the call that runs now.
      attr_accessor :request_id

      # Called once, before user code exists.
      def configure
        $stdout.sync = true # the log of a call is complete when its answer comes
        $stderr.sync = true
        Logger.prepend(RequestIdLogger)
      end

      # Print `failure` to the log in Lambda's form.
      def report(title, failure)
        $stdout.puts(title, failure.to_s)
      rescue StandardError
        nil # as in `flush`
      end

      # Push out what is still buffered: user code may have switched `sync` off.
      def flush
        $stdout.flush
        $stderr.flush
      rescue StandardError
        nil # user code may replace or close the streams; it then has no log, and its answer still counts
      end
    end

    # A Logger that writes to the function's log names the call in each line, unless it has a formatter of its own.
    module RequestIdLogger
      def initialize(device, *, **)
        super
        @default_formatter = Formatter.new if device.equal?($stdout) || device.equal?($stderr)
      end
    end

    # Lambda's form of a line: severity, time, process, severity, request id, program, message.
    class Formatter < Logger::Formatter
      def call(severity, time, program, message)
        "#{severity[0]}, [#{format_datetime(time)} ##{Process.pid}] #{severity.rjust(5)} #{Log.request_id} -- " \
          "#{program}: #{msg2str(message)}\n"
      end
    end
  end
end
