// Command crash ends in the way that its argument names.
package main

import (
	"fmt"
	"os"
	"time"
)

// hog is kept reachable until the kernel takes it.
var hog [][]byte

func main() {
	switch os.Args[1] {
	case "refused":
		fmt.Println("starting, DB_PASSWORD=hunter2")
		fmt.Println("connect to postgres://feed:hunter2@orders-db:5432/md: dial tcp 10.0.0.3:5432: connect: connection refused")
		os.Exit(1)
	case "oom":
		// Stops by itself where the limit of 64 MiB is not enforced.
		for range 4 * 16 {
			chunk := make([]byte, 4<<20)
			for i := range chunk {
				chunk[i] = 1
			}
			hog = append(hog, chunk)
		}
		fmt.Println("memory is not limited")
		os.Exit(3)
	case "run":
		time.Sleep(time.Minute)
	}
}
