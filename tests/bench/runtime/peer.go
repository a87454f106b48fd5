// Go with one P: peer OPERATION COUNT
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func cpu() (float64, float64) {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Nano()), float64(r.Stime.Nano())
}

func measure(operation string, n int, f func()) {
	u, s := cpu()
	t := time.Now()
	f()
	wall := float64(time.Since(t).Nanoseconds())
	u2, s2 := cpu()
	c := float64(n)
	fmt.Printf("go %s %d %.2f %.2f %.2f\n", operation, n, wall/c, (u2-u)/c, (s2-s)/c)
}

func relay(from, to chan uint64, done chan bool) {
	for v := <-from; v > 0; v = <-from {
		to <- v - 1
	}
	done <- true
}

func main() {
	runtime.GOMAXPROCS(1)
	n, _ := strconv.Atoi(os.Args[2])
	done := make(chan bool, 2)
	switch os.Args[1] {
	case "switch":
		measure("switch", n, func() {
			for i := 0; i < 2; i++ {
				go func() {
					for i := 0; i < n/2; i++ {
						runtime.Gosched()
					}
					done <- true
				}()
			}
			<-done
			<-done
		})
	case "spawn":
		measure("spawn", n, func() {
			for i := 0; i < n; i++ {
				go func() { done <- true }()
				<-done
			}
		})
	case "channel":
		a, b := make(chan uint64), make(chan uint64)
		measure("channel", n, func() {
			go relay(a, b, done)
			go relay(b, a, done)
			a <- uint64(n)
			<-done
		})
	case "sleep":
		for _, name := range []string{"sleep-cold", "sleep-warm"} {
			measure(name, n, func() {
				all := make(chan bool, n)
				for i := 0; i < n; i++ {
					go func() { time.Sleep(10 * time.Millisecond); all <- true }()
				}
				for i := 0; i < n; i++ {
					<-all
				}
			})
		}
	}
}
