module signet.example/bench/loadgen

go 1.22
