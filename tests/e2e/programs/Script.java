// Work for java under the preload: collections, threads, streams, compression, collections of garbage.
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;

public class Script {
    public static void main(String[] arguments) throws Exception {
        Map<String, List<Integer>> map = new TreeMap<>();
        for (int i = 0; i < 100000; i++)
            map.computeIfAbsent("k" + i % 101, k -> new ArrayList<>()).add(i);
        System.out.println(map.get("k7").size() + " " + map.size());

        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> sums = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            final int n = 1000 * (t + 1);
            sums.add(pool.submit(() -> IntStream.range(0, n).map(i -> i % 7).sum()));
        }
        for (Future<Integer> sum : sums)
            System.out.println(sum.get());
        pool.shutdown();

        byte[] bytes = new byte[1 << 20];
        for (int i = 0; i < bytes.length; i++)
            bytes[i] = (byte) (i * 31 >> 3);
        Deflater deflater = new Deflater();
        deflater.setInput(bytes);
        deflater.finish();
        System.out.println(deflater.deflate(new byte[2 << 20]));
        deflater.end();

        for (int i = 0; i < 50; i++) {
            byte[][] garbage = new byte[64][];
            for (int j = 0; j < 64; j++)
                garbage[j] = new byte[10000];
        }
        System.gc();
        Process child = new ProcessBuilder("cat", "/dev/null").start();
        System.out.println("child " + child.waitFor());
        System.exit(3);
    }
}
