// wire DEVICE_A DEVICE_B MS: two TUN devices and a line between them on which each packet is MS on its way, for kernels
// without sch_netem. Says "ready" once both are there; the caller moves them where it wants them. Ends with its stdin.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	// IFF_TUN | IFF_NO_PI
	tunFlags  = 0x1001
	tunSetIff = 0x400454ca
	// As many packets may be on their way: 96 MB of them, or 19 Gbit/s at 40 ms.
	queueMax = 65536
)

type packet struct {
	due   time.Time
	bytes []byte
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(name string) int {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR, 0)
	check(err)
	var request [40]byte
	copy(request[:16], name)
	*(*uint16)(unsafe.Pointer(&request[16])) = tunFlags
	_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request[0])))
	if failed != 0 {
		check(failed)
	}
	return fd
}

func carry(from, to int, delay time.Duration) {
	line := make(chan packet, queueMax)
	go func() {
		for next := range line {
			time.Sleep(time.Until(next.due))
			// A device that is down takes nothing: so does a cut cable.
			_, _ = syscall.Write(to, next.bytes)
		}
	}()
	buffer := make([]byte, 65536)
	for {
		length, err := syscall.Read(from, buffer)
		if err != nil {
			// Down, or not up yet.
			time.Sleep(time.Millisecond)
			continue
		}
		select {
		case line <- packet{time.Now().Add(delay), append([]byte(nil), buffer[:length]...)}:
		default: // full: dropped, as a router would
		}
	}
}

func main() {
	ms, err := strconv.ParseFloat(os.Args[3], 64)
	check(err)
	a, b := open(os.Args[1]), open(os.Args[2])
	delay := time.Duration(ms * float64(time.Millisecond))
	go carry(a, b, delay)
	go carry(b, a, delay)
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
