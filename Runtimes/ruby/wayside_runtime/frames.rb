# frozen_string_literal: true

module WaysideRuntime
  # The daemon sent something the wire does not allow. There is no way to go on.
  class ProtocolError < Exception; end # no `rescue => e` may swallow it

  # Bytes ↔ frames. The wire is fixed by Sandbox/Protocol/include/wayside_frames.h; its text is not repeated here.
  #
  # A warm call is one read and one write.
  class Frames
    VERSION = 1
    PAYLOAD_MAX = 8 * 1024 * 1024
    BOOTED, INIT, READY, INVOKE, RESULT, ERROR, STREAM = *1..7
    LAST = 1 # flag: the runtime ends after this frame
    HEAD = 2 # flag: the first STREAM frame of a result
    STREAM_MAX = 64 * 1024 # bytes of one STREAM frame

    HEADER = 'L<CCS<L<' # length, type, version, flags, sequence
    HEADER_SIZE = 12
    READ_SIZE = 64 * 1024

    # Takes over descriptor `fd`; processes that user code starts do not inherit it.
    def initialize(fd)
      @io = IO.for_fd(fd, 'r+b', autoclose: false)
      @io.close_on_exec = true
      @unread = String.new(capacity: READ_SIZE)
      @piece = String.new(capacity: READ_SIZE)
    end

    # Wait for the next frame: [type, sequence, payload], or nil when the daemon has closed the connection.
    def receive
      return nil unless fill(HEADER_SIZE)

      length, type, version, _flags, sequence = @unread.unpack(HEADER)
      raise ProtocolError, "frame version #{version}, expected #{VERSION}" if version != VERSION
      raise ProtocolError, "frame of #{length} bytes, at most #{PAYLOAD_MAX} are allowed" if length > PAYLOAD_MAX
      return nil unless fill(HEADER_SIZE + length)

      frame = @unread.slice!(0, HEADER_SIZE + length)
      [type, sequence, frame.byteslice(HEADER_SIZE, length)]
    end

    # Send one frame whole, however many writes the socket needs.
    def send(type, sequence, payload = '', flags = 0)
      frame = [payload.bytesize, type, VERSION, flags, sequence].pack(HEADER) << payload.b
      written = @io.syswrite(frame)
      written += @io.syswrite(frame.byteslice(written..)) while written < frame.bytesize
    end

    private

    # Read until `count` bytes are unread; false at the end of the stream.
    def fill(count)
      while @unread.bytesize < count
        @io.sysread([count - @unread.bytesize, READ_SIZE].max, @piece)
        @unread << @piece
      end
      true
    rescue EOFError, Errno::ECONNRESET
      false
    end
  end

  # The payload of an INVOKE frame, split into its parts; `event` and `client_context` are JSON text.
  class Invocation
    HEAD = 'Q<S<4' # deadline, then the lengths of the four strings
    HEAD_SIZE = 16

    attr_reader :deadline_ms, :request_id, :function_arn, :trace_id, :client_context, :event

    def initialize(payload)
      raise ProtocolError, 'INVOKE is too short' if payload.bytesize < HEAD_SIZE

      @deadline_ms, *lengths = payload.unpack(HEAD)
      start = HEAD_SIZE
      raise ProtocolError, 'INVOKE is shorter than its strings' if start + lengths.sum > payload.bytesize

      @request_id, @function_arn, @trace_id, @client_context = lengths.map do |length|
        payload.byteslice(start, length).force_encoding(Encoding::UTF_8).tap { start += length }
      end
      @event = payload.byteslice(start..).force_encoding(Encoding::UTF_8)
    end
  end
end
