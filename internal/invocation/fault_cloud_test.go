package invocation_test

import (
	cloudemu "chatexport/internal/emulator/cloud"
)

func onInvoke(f cloudemu.Fault) func(*cloudemu.Call) *cloudemu.Fault {
	return func(*cloudemu.Call) *cloudemu.Fault { return &f }
}

func cloudFaults() []faultCase {
	code := func(code string) func(*cloudemu.Call) *cloudemu.Fault { return onInvoke(cloudemu.Fault{Code: code}) }
	return []faultCase{
		{
			name: "UnauthorizedOperation", cloud: code("UnauthorizedOperation.CAM"),
			tried: 1, outcome: "error", reads: "allow the function's execution role scf:Invoke", status: "running",
			code: "UnauthorizedOperation.CAM", then: byRedelivery,
		}, {
			name: "ResourceNotFound.Function", cloud: code("ResourceNotFound.Function"),
			tried: 1, outcome: "error", reads: "check that function name, namespace, version and region", status: "running",
			code: "ResourceNotFound.Function", then: byRedelivery,
		}, {
			name: "RequestLimitExceeded, once", times: 1, cloud: code("RequestLimitExceeded"),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "FailedOperation.FunctionStatusError, once", times: 1, cloud: code("FailedOperation.FunctionStatusError"),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "InternalError, once", times: 1, cloud: code("InternalError"),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "an unknown code, once", times: 1, cloud: code("FailedOperation.Mystery"),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "502 with an HTML page, once", times: 1, cloud: onInvoke(cloudemu.Fault{HTML: true}),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "the connection breaks before the event is accepted, once", times: 1, cloud: onInvoke(cloudemu.Fault{Reset: true}),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "the answer is lost after the event was accepted", times: 1, cloud: onInvoke(cloudemu.Fault{Lose: true}),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "the event is accepted and an error answered", times: 1, cloud: onInvoke(cloudemu.Fault{Publish: true, Code: "InternalError"}),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "the event is delivered twice", times: 1, cloud: onInvoke(cloudemu.Fault{Duplicate: true}),
			tried: 1, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "no answer", cloud: onInvoke(cloudemu.Fault{Hang: true}),
			tried: 1, outcome: "error", reads: "Invoke chatexport", status: "running", then: byRedelivery,
		},
	}
}
