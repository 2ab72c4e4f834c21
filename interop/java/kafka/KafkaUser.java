import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Scanner;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.serialization.IntegerDeserializer;
import org.apache.kafka.common.serialization.IntegerSerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Uses Kafka as told, one command a line on standard input, and answers each with one line: "ok" and what there is
 * to say, or "failed" and why. Argument: the brokers.
 */
public final class KafkaUser {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String brokers;

    private KafkaUser(String brokers) {
        this.brokers = brokers;
    }

    public static void main(String[] args) {
        KafkaUser user = new KafkaUser(args[0]);
        try (Scanner commands = new Scanner(System.in)) {
            while (commands.hasNextLine()) {
                String[] command = commands.nextLine().split(" ");
                String answer;
                try {
                    answer = "ok " + user.run(command);
                } catch (Exception e) {
                    String cause = e.getCause() == null ? "" : ", because of " + e.getCause();
                    answer = "failed " + (e + cause).replace('\n', ' ');
                }
                System.out.println(answer);
                System.out.flush();
            }
        }
    }

    private String run(String[] command) throws Exception {
        switch (command[0]) {
            case "create":
                return create(command[1], Integer.parseInt(command[2]), Short.parseShort(command[3]));
            case "partitions":
                return addPartitions(command[1], Integer.parseInt(command[2]));
            case "describe":
                return describe();
            case "produce":
                return produce(command[1], Integer.parseInt(command[2]), Integer.parseInt(command[3]));
            case "consume":
                return consume(command[1], Integer.parseInt(command[2]));
            default:
                throw new IllegalArgumentException(command[0]);
        }
    }

    private String create(String topic, int partitions, short replicas) throws Exception {
        try (Admin admin = Admin.create(properties())) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, replicas))).all().get();
        }
        return topic;
    }

    private String addPartitions(String topic, int total) throws Exception {
        try (Admin admin = Admin.create(properties())) {
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(total))).all().get();
        }
        return topic;
    }

    /** Each topic with the number of its partitions and of the replicas that are in sync, of all of them. */
    private String describe() throws Exception {
        try (Admin admin = Admin.create(properties())) {
            TreeMap<String, String> topics = new TreeMap<>();
            Map<String, TopicDescription> all =
                admin.describeTopics(admin.listTopics().names().get()).allTopicNames().get();
            for (TopicDescription topic : all.values()) {
                int synced = 0;
                for (TopicPartitionInfo partition : topic.partitions()) {
                    synced += partition.leader() == null ? 0 : partition.isr().size();
                }
                topics.put(topic.name(), topic.partitions().size() + "/" + synced);
            }
            return topics.toString();
        }
    }

    /** Sends the numbers from {@code from} on. Every one must have been acknowledged. */
    private String produce(String topic, int from, int count) throws Exception {
        Properties properties = properties();
        properties.put("acks", "all");
        properties.put("linger.ms", "20");
        properties.put("delivery.timeout.ms", String.valueOf(PATIENCE.toMillis()));
        List<Future<RecordMetadata>> sent = new ArrayList<>(count);
        try (KafkaProducer<Integer, String> producer =
                new KafkaProducer<>(properties, new IntegerSerializer(), new StringSerializer())) {
            for (int n = from; n < from + count; n++) {
                sent.add(producer.send(new ProducerRecord<>(topic, n, "message " + n)));
            }
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
        }
        return String.valueOf(sent.size());
    }

    /** Reads a topic from the beginning until it has seen each of the numbers below {@code count}. */
    private String consume(String topic, int count) throws Exception {
        BitSet seen = new BitSet(count);
        int received = 0;
        try (KafkaConsumer<Integer, String> consumer =
                new KafkaConsumer<>(properties(), new IntegerDeserializer(), new StringDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (seen.cardinality() < count && System.nanoTime() < deadline) {
                for (ConsumerRecord<Integer, String> record : consumer.poll(Duration.ofMillis(200))) {
                    if (!record.value().equals("message " + record.key())) {
                        throw new IllegalStateException("key " + record.key() + " holds " + record.value());
                    }
                    seen.set(record.key());
                    received++;
                }
            }
        }
        if (seen.cardinality() != count || seen.length() != count) {
            throw new IllegalStateException(seen.cardinality() + " of " + count + " messages were there");
        }
        return String.valueOf(received);
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", brokers);
        properties.put("enable.auto.commit", "false");
        properties.put("request.timeout.ms", "20000");
        properties.put("metadata.max.age.ms", "1000");
        return properties;
    }
}
