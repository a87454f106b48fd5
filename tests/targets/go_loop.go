// Go's poller is no event loop: the agent recognises the runtime and says that it does not judge it.
package main

import (
	"net"
	"time"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go listener.Accept()
	for {
		time.Sleep(20 * time.Millisecond)
	}
}
