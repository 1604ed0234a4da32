-- The load, for wrk. Arguments: file of requests (one per line: METHOD HOST TARGET, and for one more header NAME VALUE), body
-- size, mean delay in ms (0: none). One request is sent again and again; more are sent in turn. For one thread.

local function headers(host, body)
  local set = {
    ["Host"] = host,
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ["Accept"] = "application/json, text/plain, */*",
    ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8",
    ["Accept-Encoding"] = "gzip, deflate, br, zstd",
    ["Referer"] = "https://www.example.com/account/orders?page=2",
    ["Origin"] = "https://www.example.com",
    ["Cookie"] = "session=4f0c2f1f6f9f4c7fb1c2a1b0d9e8f7a6; theme=dark; consent=analytics%3Dfalse%7Cads%3Dfalse; region=eu-west",
    ["Cache-Control"] = "no-cache",
    ["Sec-Fetch-Mode"] = "cors",
    ["X-Requested-With"] = "XMLHttpRequest",
  }
  if body then set["Content-Type"] = "application/octet-stream" end
  return set
end

function init(args)
  local file, size, pause = args[1], tonumber(args[2]), tonumber(args[3])
  local body = size > 0 and string.rep("x", size) or nil
  local requests = {}
  for line in io.lines(file) do
    local method, host, target, rest = line:match("^(%S+) (%S+) (%S+)(.*)$")
    local set = headers(host, body)
    local name, value = rest:match("^ (%S+) (.+)$")
    if name then set[name] = value end
    requests[#requests + 1] = wrk.format(method, target, set, body)
  end
  local at = 0
  if #requests == 1 then
    local only = requests[1]
    request = function() return only end
  else
    request = function()
      at = at + 1
      if at > #requests then at = 1 end
      return requests[at]
    end
  end
  if pause > 0 then
    math.randomseed(1)
    local span = 2 * pause + 1
    delay = function() return math.floor(math.random() * span) end
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p95":%d,"p99":%d,"max":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
