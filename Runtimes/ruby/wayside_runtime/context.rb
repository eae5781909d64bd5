# frozen_string_literal: true

require_relative 'document'

module WaysideRuntime
  # The context object of a handler: facts about the running invocation. Names are Lambda's.
  class Context
    # What is the same for each call of a function, read from its environment once.
    class Facts
      attr_reader :function_name, :function_version, :memory_limit_in_mb, :log_group_name, :log_stream_name

      def initialize(variables)
        @function_name = variables['AWS_LAMBDA_FUNCTION_NAME']
        @function_version = variables['AWS_LAMBDA_FUNCTION_VERSION']
        @memory_limit_in_mb = variables['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
        @log_group_name = variables['AWS_LAMBDA_LOG_GROUP_NAME']
        @log_stream_name = variables['AWS_LAMBDA_LOG_STREAM_NAME']
      end
    end

    attr_reader :aws_request_id, :invoked_function_arn, :deadline_ms, :client_context, :identity

    alias request_id aws_request_id

    Facts.public_instance_methods(false).each do |name|
      define_method(name) { @facts.public_send(name) }
    end

    # Raises `Document::Unreadable` when the client context is no JSON.
    def initialize(facts, invocation)
      @facts = facts
      @aws_request_id = invocation.request_id
      @invoked_function_arn = invocation.function_arn
      @deadline_ms = invocation.deadline_ms
      @client_context = invocation.client_context.empty? ? nil : Document.decode(invocation.client_context)
      @identity = nil # Wayside has no Cognito
    end

    # Milliseconds until the invocation is ended as timed out; never negative.
    def get_remaining_time_in_millis # Lambda's name
      [0, @deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond)].max
    end

    # Write `message` to the function's log.
    def log(message)
      $stdout.puts(message)
    end
  end
end
