-- wrk script: sends the requests of a file one after another; says what came of it as one line of JSON.
-- Arguments: the file, and the number to begin with. Requests are separated by NUL bytes. A byte 1 in a request
-- stands for a number of 16 hex digits that is another one in each request. Which request is the first depends on the
-- number: a short run has time for a part of a long file, and it should not be the same part each time.
local requests, numbers, at, number = {}, {}, 0, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  number = tonumber(args[2])
  for request in text:gmatch("[^%z]+") do
    local parts = {}
    for part in (request .. "\1"):gmatch("([^\1]*)\1") do parts[#parts + 1] = part end
    requests[#requests + 1] = #parts == 1 and parts[1] or parts
    numbers[#numbers + 1] = #parts > 1
  end
  math.randomseed(number)
  at = math.random(#requests)
end

function request()
  at = at % #requests + 1
  local found = requests[at]
  if not numbers[at] then return found end
  number = number + 1
  return table.concat(found, string.format("%016x", number))
end

function done(summary, latency, _)
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,"broken":%d,"refused":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.errors.status))
end
