# frozen_string_literal: true

require_relative 'context'
require_relative 'document'
require_relative 'environment'
require_relative 'log'

module WaysideRuntime
  # User code, loaded and ready to be called.
  class Function
    # Loads the file of `handler`: "file.method" or "file.Class.method", the file below a folder or not.
    # `variables`: the function's environment. Raises whatever user code raises while it loads.
    def initialize(handler, variables)
      file, *receiver, method = handler.split('.')
      if file.nil? || method.nil? || receiver.size > 1
        raise ArgumentError, "Invalid handler #{handler}, must be of form FILE.METHOD or FILE.CLASS.METHOD, where " \
                             'FILE.rb is a file of the bundle, CLASS a class or module, and METHOD a method of it ' \
                             'or of the file itself.'
      end
      @class_name = receiver.first
      @method_name = method.to_sym
      @facts = Context::Facts.new(variables)
      require file
    end

    # Run the handler once. Raises `Document::Unreadable`, and whatever the handler raises.
    def call(invocation)
      Log.request_id = invocation.request_id
      Environment.trace_id = invocation.trace_id
      context = Context.new(@facts, invocation)
      event = Document.decode(invocation.event)
      # Looked up each time, as on Lambda: what does not exist is an error of the call.
      receiver.__send__(@method_name, event: event, context: context)
    end

    private

    # Methods defined outside any class are private ones of every object; the main object is as good as another.
    def receiver
      @class_name ? Object.const_get(@class_name) : TOPLEVEL_BINDING.receiver
    end
  end
end
