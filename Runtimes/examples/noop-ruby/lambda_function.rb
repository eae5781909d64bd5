# Does nothing: what is left is the cost of the call.
def lambda_handler(event:, context:)
  event
end
