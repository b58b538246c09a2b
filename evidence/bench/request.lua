-- What wrk sends, and what it prints: one line of JSON (https://github.com/wg/wrk/blob/master/SCRIPTING).
-- Arguments: METHOD PATH BODY TOKEN LOW HIGH; each `#` in path and body becomes a number from LOW to HIGH.
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  method, path, body, low, high = arguments[1], arguments[2], arguments[3], tonumber(arguments[5]), tonumber(arguments[6])
  headers = { ["Content-Type"] = "application/json" }
  if arguments[4] ~= "" then headers["Authorization"] = "Bearer " .. arguments[4] end
  math.randomseed(os.time() + number)
  answered, rejected, failed = 0, 0, 0
end

local function numbered(text)
  return (text:gsub("#", function() return string.format("%d", math.random(low, high)) end))
end

function request()
  return wrk.format(method, numbered(path), headers, body ~= "" and numbered(body) or nil)
end

function response(status)
  if status < 400 then answered = answered + 1
  elseif status == 429 or status == 503 then rejected = rejected + 1
  else failed = failed + 1 end
end

function done(summary, latency)
  local sums = { answered = 0, rejected = 0, failed = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + thread:get(name) end
  end
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '{"seconds": %f, "answered": %d, "rejected": %d, "failed": %d, "broken": %d, "p50": %f, "p99": %f}\n',
    summary.duration / 1e6, sums.answered, sums.rejected, sums.failed, broken,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
