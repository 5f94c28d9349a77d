-- What wrk sends for the bench `gateway`. Prints its result as one JSON object.
-- Arguments: a file with one bearer token a line; the mean pause before each request of a connection
-- in milliseconds, random so that the connections do not send at once.
local requests, at, pause = {}, 0, 0

function init(args)
  pause = tonumber(args[2])
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Authorization"] = "Bearer " .. token })
  end
  if pause > 0 then
    function delay() return math.floor(2 * pause * math.random() + 0.5) end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local format = '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "failed": %d}\n'
  io.write(string.format(format,
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
