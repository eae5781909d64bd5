# The smallest useful handler: greets whom the event names.
def lambda_handler(event:, context:)
  name = event.fetch('name', 'world')
  puts "greeting #{name} in call #{context.aws_request_id}"
  { message: "Hello, #{name}!", function: context.function_name }
end
