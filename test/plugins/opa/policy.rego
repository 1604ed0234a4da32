package gateway

import rego.v1

# Whether the request may go on: what opa's plugin is told as `input.request.http`.
default allow := false

allow if input.request.http.method == "GET"

allow if input.consumer.username == "anna"

# The same with words for the client.
decision := {"allow": true, "headers": {"x-policy": "gateway"}} if allow

decision := {
	"allow": false,
	"status": 418,
	"headers": {"x-policy": "gateway", "x-bad": concat("", ["a", "\r\n", "b"])},
	"message": "not by policy",
} if {
	not allow
	not input.request.http.headers["x-plain"]
}

decision := {"allow": false} if {
	not allow
	input.request.http.headers["x-plain"]
}

# Takes its time: to show what a policy that computes costs.
slow if {
	some x in numbers.range(1, 300)
	some y in numbers.range(1, 300)
	x * y == -1
}

# Takes its memory.
big := count([s | some i in numbers.range(1, 200000); s := sprintf("%d %d %d", [i, i, i])])
